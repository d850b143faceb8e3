// Builds that are broken in different ways: what is written, what the check must say of it, and what mends it.

const page = (body, head = "") => `${head}export default function Page() {\n${body}\n}\n`;
const well = page("  return <h1>Hello, it works</h1>;");
const client = '"use client";\nimport { useEffect, useState } from "react";\n';

/** `files` break the app; `says` is what the error names; `mend` (or `whole`) makes it whole. */
export const broken = {
  "a syntax error": {
    files: { "app/page.tsx": page("  return <h1>Hello</h2>;") },
    says: /h1|closing tag|Expected|Unexpected/i,
  },
  "a type error": {
    files: { "app/page.tsx": page('  const count: number = "three";\n  return <h1>Hello {count}</h1>;') },
    says: /TS2322/,
  },
  "a package that is not installed": {
    files: { "app/page.tsx": page("  return <h1>{padStart('x', 3)}</h1>;", 'import padStart from "left-pad-that-is-not-there";\n') },
    says: /left-pad-that-is-not-there/,
  },
  'no "use client"': {
    files: {
      "app/page.tsx": page(
        "  const [count, setCount] = useState(0);\n  return <button onClick={() => setCount(count + 1)}>Clicked {count}</button>;",
        'import { useState } from "react";\n',
      ),
    },
    says: /use client|Client Component|useState/,
  },
  "a component that is not there": {
    files: { "app/page.tsx": page("  return <Rocket />;", 'import { Rocket } from "@/components/ui/rocket";\n') },
    says: /components\/ui\/rocket/,
  },
  "a hydration error": {
    files: { "app/page.tsx": page("  return <h1>Lucky number {Math.random()}</h1>;", '"use client";\n') },
    says: /hydrat/i,
  },
  "a throw in an effect": {
    files: {
      "app/page.tsx": page(
        '  const [name] = useState("x");\n  useEffect(() => {\n    throw new Error("the effect broke");\n  }, []);\n  return <h1>Hello {name}</h1>;',
        client,
      ),
    },
    says: /the effect broke/,
  },
  "a rejection that nobody handles": {
    files: {
      "app/page.tsx": page(
        '  const [name] = useState("x");\n  useEffect(() => {\n    void Promise.reject(new Error("nobody caught this"));\n  }, []);\n  return <h1>Hello {name}</h1>;',
        client,
      ),
    },
    says: /nobody caught this/,
  },
  "a 500 in a route handler": {
    files: {
      "app/page.tsx": well,
      "app/api/items/route.ts": 'export async function GET() {\n  throw new Error("no items today");\n}\n',
    },
    mend: { "app/api/items/route.ts": "export async function GET() {\n  return Response.json([]);\n}\n" },
    says: /\/api\/items[\s\S]*500/,
  },
  "another page that fails": {
    files: {
      "app/page.tsx": well,
      "app/about/page.tsx": page('  throw new Error("about nothing");\n'),
    },
    mend: { "app/about/page.tsx": page("  return <h1>About us</h1>;") },
    says: /about nothing/,
  },
  "a component of another page that fails": {
    files: {
      "app/page.tsx": well,
      "app/cart/page.tsx": 'import { Cart } from "@/components/cart";\n\nexport default function Page() {\n  return <Cart />;\n}\n',
      "components/cart.tsx": `${client}\nexport function Cart() {\n  const [items] = useState<string[]>();\n  useEffect(() => {\n    document.title = items![0];\n  }, [items]);\n  return <h1>Cart</h1>;\n}\n`,
    },
    mend: { "components/cart.tsx": "export function Cart() {\n  return <h1>Cart</h1>;\n}\n" },
    says: /cart[\s\S]*undefined/,
  },
  "a page that reloads itself": {
    files: {
      "app/page.tsx": page("  useEffect(() => {\n    location.reload();\n  }, []);\n  return <h1>Hello</h1>;", '"use client";\nimport { useEffect } from "react";\n'),
    },
    says: /again and again/,
  },
  "an endless render": {
    files: {
      "app/page.tsx": page(
        "  const [count, setCount] = useState(0);\n  useEffect(() => {\n    setCount(count + 1);\n  });\n  return <h1>Count {count}</h1>;",
        client,
      ),
    },
    says: /Maximum update depth|without an end/,
  },
  "an endless loop": {
    files: {
      "app/page.tsx": page(
        '  const [name] = useState("x");\n  useEffect(() => {\n    let turns = 0;\n    while (name) turns += 1;\n  }, [name]);\n  return <h1>Hello {name}</h1>;',
        client,
      ),
    },
    says: /hangs|without an end|did not/,
  },
  "a handler whose type is wrong only where the dev server looks": {
    files: {
      "app/page.tsx": well,
      "app/api/items/[id]/route.ts":
        "export async function GET(_: Request, { params }: { params: { id: string } }) {\n  return Response.json(params.id);\n}\n",
    },
    mend: {
      "app/api/items/[id]/route.ts":
        "export async function GET(_: Request, { params }: { params: Promise<{ id: string }> }) {\n  return Response.json((await params).id);\n}\n",
    },
    says: /TS2344[\s\S]*api\/items/,
  },
  "a page that is not found once its answer has begun": {
    files: {
      "app/page.tsx": well,
      "app/team/loading.tsx": page("  return <p>Loading…</p>;"),
      "app/team/page.tsx":
        'import { notFound } from "next/navigation";\n\nexport default async function Page() {\n  await new Promise((later) => setTimeout(later, 300));\n  notFound();\n}\n',
    },
    mend: { "app/team/page.tsx": page("  return <h1>Our team</h1>;") },
    says: /not found \(404\)/,
  },
  "an empty page": {
    files: { "app/page.tsx": page("  return null;") },
    says: /empty/,
  },
  "a white page": {
    files: { "app/page.tsx": page('  return <main style={{ background: "white", color: "white", minHeight: "100vh" }}><h1>Hello</h1></main>;') },
    says: /blank|one plain colour/,
  },
};

/** A dev server that was killed and can't start, what the check must say of it, and what mends it. */
export const killed = {
  command:
    "mv node_modules/next node_modules/next-gone; for p in /proc/[0-9]*; do case $(cat $p/comm) in next-server*|node*) kill -9 ${p#/proc/};; esac; done; exit 0",
  mendBy: "mv node_modules/next-gone node_modules/next",
  says: /does not (answer|run)/,
};

/** A page whose styles lack a class, on a dev server too busy to notice a file that is soon as it was. */
export const halfStyled = {
  // Tailwind reads all files, then asks its plugins: this one waits, and a component that is written meanwhile comes too late. After that
  // the server stands still until a second after the check touches the styles.
  command: `
app() { curl -sS --max-time 60 "http://127.0.0.1:3000$1"; }
until app / >/dev/null 2>&1; do sleep 0.2; done
touch /tmp/hold
cat >hold.cjs <<'END'
const { existsSync, writeFileSync } = require("node:fs");
const hold = (value) => {
  while (existsSync("/tmp/hold")) writeFileSync("/tmp/held", "");
  return { color: value };
};
module.exports = ({ matchUtilities }) => matchUtilities({ hold });
END
cat >app/page.tsx <<'END'
import { Late } from "@/components/late";
export default function Page() {
  return <h1 className="hold-[red]"><Late /></h1>;
}
END
echo '@plugin "../hold.cjs";' >>app/globals.css
app / >/dev/null &
until [ -e /tmp/held ]; do sleep 0.05; done
cat >components/late.tsx <<'END'
export function Late() {
  return <span className="w-[17px]">Late</span>;
}
END
sleep 1
rm /tmp/hold
wait
page=$(app /)
styles=$(app "$(printf %s "$page" | grep -o '/_next/[^"]*\\.css' | head -n 1)")
case $page$styles in *'width: 17px'*) echo nothing is missed ;; *'w-[17px]'*'color: red'*) echo the class is missed ;; esac

signal() {
  for process in /proc/[0-9]*; do
    case $(cat $process/comm) in next-server*|node*) kill -$1 \${process#/proc/} ;; esac
  done
}
(
  before=$(cksum <app/globals.css) left=50
  for _ in $(seq 1000); do
    [ "$before" = "$(cksum <app/globals.css)" ] && [ $left = 50 ] || left=$((left - 1))
    [ $left -gt 0 ] || break
    signal STOP
    sleep 0.02
  done
  signal CONT
) >/dev/null 2>&1 &
`,
  missed: "the class is missed",
  style: "width: 17px",
};

/** What makes any of them whole that says nothing else. */
export const whole = { "app/page.tsx": well };
