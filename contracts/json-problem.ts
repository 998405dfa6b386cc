/** What `JSON.parse` found wrong, and where, on one short line. */
export function jsonProblem(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/unexpected end|unterminated/iu.test(message)) return 'it ends in the middle of a value';
  return message.replaceAll(/\s+/g, ' ').slice(0, 120);
}
