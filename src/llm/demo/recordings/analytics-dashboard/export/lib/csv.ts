type Cell = string | number;

/** As RFC 4180 has it: quotes around what needs them, lines end with CR LF. */
export function toCsv(rows: readonly (readonly Cell[])[]): string {
  const quote = (cell: Cell) => (/[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));
  return rows.map((row) => `${row.map(quote).join(",")}\r\n`).join("");
}

/** Hands the rows to the browser as a file. */
export function downloadCsv(name: string, rows: readonly (readonly Cell[])[]) {
  // With a byte order mark, spreadsheets read it as UTF-8.
  const url = URL.createObjectURL(new Blob(["\uFEFF", toCsv(rows)], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Some browsers read it a moment later.
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
