/** Where a mark first stands in a text. */
export interface FoundMark {
  readonly at: number;
  readonly mark: string;
}

/** The first of several marks in a text, the longest of those that begin there; null: none of them. */
export function firstMark(text: string, marks: readonly string[]): FoundMark | null {
  let found: FoundMark | null = null;
  for (const mark of marks) {
    const at = text.indexOf(mark);
    if (at < 0 || (found !== null && at > found.at)) continue;
    if (found === null || at < found.at || mark.length > found.mark.length) found = { at, mark };
  }
  return found;
}

/** How many characters at a text's end may become a mark when more text follows. */
export function heldBack(text: string, marks: readonly string[]): number {
  const longest = Math.max(0, ...marks.map((mark) => mark.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(text.length - length);
    if (marks.some((mark) => mark.length > length && mark.startsWith(end))) return length;
  }
  return 0;
}
