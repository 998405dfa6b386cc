export type CsvCell = string | number | boolean | null | undefined;
export type CsvRow = { readonly [column: string]: CsvCell };

/**
 * Rows as CSV (RFC 4180), the columns in the order in which they first appear. A text that a spreadsheet would take for a formula
 * gets an apostrophe: it may be a model's.
 */
export function csvText(rows: readonly CsvRow[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => columns.map((column) => cell(row[column])).join(','));
  return `${[columns.map(cell).join(','), ...lines].join('\r\n')}\r\n`;
}

function cell(value: CsvCell): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
