/** A query of docs/sql.md with the answer that stands below it. */
export interface SqlQuestion {
  readonly query: string;
  /** Empty where there is none yet. */
  readonly answer: string;
}

const QUESTION = /```sql\n([^]*?)\n```(?:\n\n```text\n([^]*?)\n```)?/g;

/** The queries of a document, in order. */
export function sqlQuestions(document: string): SqlQuestion[] {
  return [...document.matchAll(QUESTION)].map(([, query = '', answer = '']) => ({ query, answer }));
}

/** The document with other answers, one for each query. */
export function withAnswers(document: string, answers: readonly string[]): string {
  let place = 0;
  return document.replaceAll(
    QUESTION,
    (_, query: string) =>
      `\`\`\`sql\n${query}\n\`\`\`\n\n\`\`\`text\n${answers[place++] ?? ''}\n\`\`\``,
  );
}
