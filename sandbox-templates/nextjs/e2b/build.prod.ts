import { defaultBuildLogger, Template } from "e2b";
import { template } from "./template.ts";

await Template.build(template, "codeflow-nextjs", { cpuCount: 2, memoryMB: 2048, onBuildLogs: defaultBuildLogger() });
