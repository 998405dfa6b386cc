/** Texts between `<tag>` and `</tag>`, and what stands around them. */
export interface TaggedText {
  readonly inside: readonly string[];
  readonly outside: string;
}

/** Takes all parts between a pair of tags out of a text; null: a tag is not closed. In linear time. */
export function takeTagged(text: string, tag: string): TaggedText | null {
  const open = `<${tag}>`;
  const close = `</${tag}>`;
  const inside: string[] = [];
  const outside: string[] = [];
  let at = 0;
  for (;;) {
    const begin = text.indexOf(open, at);
    if (begin < 0) break;
    const end = text.indexOf(close, begin + open.length);
    if (end < 0) return null;
    outside.push(text.slice(at, begin));
    inside.push(text.slice(begin + open.length, end).trim());
    at = end + close.length;
  }
  outside.push(text.slice(at));
  return { inside, outside: outside.join('').trim() };
}
