/** A sentence that says in which form to call, in the data set's own. What we ask for is another one. */
const ABOUT_FORM =
  /\[func|func_name|params_name|functions? in json format|function signatures|<tools>|<tool_call>|no other text|any other text|only return the function call|return the function call\(s\)/iu;

/** Longer system texts are left as they are. */
const MAX_LENGTH = 100_000;

/** A system text without the sentences that tell how to write calls; what it says of the task stays. */
export function withoutForm(text: string): string {
  if (text.length > MAX_LENGTH) return text;
  // Sentences and the white space after each, in turns.
  const parts = text.split(/(?<=[.:!?])(\s+)/u);
  const kept: string[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const sentence = parts[i] ?? '';
    // Of the sentence that ended with the list of tools, a full stop is left.
    if (ABOUT_FORM.test(sentence) || !/[\p{L}\p{N}]/u.test(sentence)) continue;
    kept.push(sentence, parts[i + 1] ?? '');
  }
  return kept.join('').trim();
}
