/** A text as far as a message repeats it: at most `length` UTF-16 units, and a sign where there was more. */
export function cutText(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
