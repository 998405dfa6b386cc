/** A text as one word of a shell's command line, so that a command that is suggested can be copied: quoted where it has to be. */
export function shellWord(text: string): string {
  return /^[\w./:@=+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A query on a run as one such word; in double quotes, which leave those of SQL readable, where its id allows them. */
export function shellQuery(before: string, run: string, after: string): string {
  const query = `${before}'${run.replaceAll("'", "''")}'${after}`;
  return /["$`\\!]/.test(query) ? shellWord(query) : `"${query}"`;
}
