/** How much a JSON text would become, without reading it. */
export interface JsonExtent {
  /** Levels of lists and objects within one another: whoever walks ten thousands of them overflows the stack. */
  readonly depth: number;
  /** Values at most: a text of `[],[],…` takes twenty times its size once it is read. */
  readonly values: number;
  /** Members of the outermost object as they are written: more than the object has when a name is written twice. */
  readonly members: number;
}

/** Looks through a text for brackets, commas and colons outside of strings. What is not JSON gets some numbers. */
export function jsonExtent(text: string): JsonExtent {
  let level = 0;
  let depth = 0;
  let values = 1;
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        at = endOfText(text, at + 1);
        break;
      case '[':
      case '{':
        values++;
        depth = Math.max(depth, ++level);
        break;
      case ']':
      case '}':
        level--;
        break;
      case ',':
        values++;
        break;
      case ':':
        if (level === 1) members++;
    }
  }
  return { depth, values, members };
}

/** The quotation mark that ends the string beginning at `from`. */
function endOfText(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
