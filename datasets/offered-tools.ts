import type { Sample } from '../contracts/sample.ts';

/** A tool in the text of ToolRL's prompts. */
const LISTED = /^\d+\. Name: (.+)$/gmu;

/** Names of the tools that a sample's prompt offers or whose calls it shows; rlla's are read from its system text. */
export function offeredTools({ tools, messages }: Sample): ReadonlySet<string> {
  const names = new Set(tools?.map(({ name }) => name));
  for (const { role, content, calls } of messages) {
    for (const { name } of calls ?? []) names.add(name);
    if (tools !== undefined || role !== 'system') continue;
    for (const [, name = ''] of content.matchAll(LISTED)) names.add(name.trim());
  }
  return names;
}

/** Names of the tools that its ground truth calls. */
export function calledTools({ calls }: Sample): ReadonlySet<string> {
  return new Set(calls.map(({ name }) => name));
}
