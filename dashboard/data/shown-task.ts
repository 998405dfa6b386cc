import { cutText } from '../../contracts/cut-text.ts';
import type { ShownTask } from '../../contracts/dashboard.ts';
import type { Sample } from '../../contracts/sample.ts';
import { spacedJson, withCallsAsText } from '../../contracts/tool-call-text.ts';

/** Characters of a message, a tool's parameters, a ground truth or a completion that are shown. */
export const LONGEST_TEXT = 20_000;

/** A sample's task as far as it is shown: calls and parameters as text, each text cut. */
export function shownTask({ messages, tools = [], groundTruth }: Sample): ShownTask {
  return {
    messages: messages
      .map(withCallsAsText)
      .map(({ role, content }) => ({ role, content: shown(content) })),
    tools: tools.map(({ name, description, parameters }) => ({
      name: shown(name),
      description: shown(description),
      parameters: shown(spacedJson(parameters)),
    })),
    groundTruth: shown(groundTruth),
  };
}

function shown(text: string): string {
  return cutText(text, LONGEST_TEXT);
}
