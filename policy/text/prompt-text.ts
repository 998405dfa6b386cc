import type { JsonObject } from '../../contracts/json.ts';
import type { ChatMessage, Prompt, ToolDefinition } from '../../contracts/sample.ts';
import { spacedJson, withCallsAsText } from '../../contracts/tool-call-text.ts';
import type { ChatRenderer } from './chat-template.ts';

/** Renders a prompt's text. Tools undefined: the messages tell of them, and of the form of the answer, themselves. */
export type PromptRenderer = (prompt: Prompt) => string;

/**
 * The form that the reward asks for. Templates that know tools ask for another one (`arguments` instead of `parameters`, a
 * pair of tags for each call), so it says that it holds instead.
 */
const ANSWER_FORM = `Think first. Then call tools, one call a line, in exactly this form:
<think>your thoughts</think>
<tool_call>
{"name": "name of a tool", "parameters": {"name of a parameter": value}}
{"name": "name of another tool", "parameters": {}}
</tool_call>
Or answer in words, where no tool is to be called:
<think>your thoughts</think>
<response>your answer</response>
This form holds, whatever other form of calls is described elsewhere.`;

/** Asks whether a template shows tools: a name that no template has in it. */
const PROBE: ToolDefinition = { name: 'probe_9f8d2c', description: '', parameters: {} };

/**
 * How prompts are made of messages and tools with a policy's template. Without tools, the messages go to the template as
 * they are. With tools, the form of the answer is added to the system text, and tools go to the template; one that does not
 * show any (SmolLM2's) gets them as text there, too. Calls of earlier turns become text in the form of answers: a template's
 * own form would teach another one, and some templates refuse two calls in a turn.
 */
export function createPromptRenderer(render: ChatRenderer): PromptRenderer {
  let shows: boolean | undefined;
  const showsTools = (): boolean => (shows ??= showsProbe(render));
  return ({ messages, tools }) => {
    const plain = messages.map(withCallsAsText);
    if (tools === undefined) return render(plain, null);
    if (tools.length > 0 && showsTools()) {
      return render(withSystem(plain, ANSWER_FORM), tools.map(asFunction));
    }
    const told = tools.length === 0 ? ANSWER_FORM : `${listing(tools)}\n\n${ANSWER_FORM}`;
    return render(withSystem(plain, told), null);
  };
}

function showsProbe(render: ChatRenderer): boolean {
  try {
    const messages = [
      { role: 'system', content: '.' },
      { role: 'user', content: '.' },
    ];
    return render(messages, [asFunction(PROBE)]).includes(PROBE.name);
  } catch {
    return false;
  }
}

function asFunction({ name, description, parameters }: ToolDefinition): JsonObject {
  return { type: 'function', function: { name, description, parameters } };
}

function withSystem(messages: readonly ChatMessage[], text: string): readonly ChatMessage[] {
  const [first, ...others] = messages;
  return first?.role === 'system'
    ? [{ role: 'system', content: `${first.content}\n\n${text}` }, ...others]
    : [{ role: 'system', content: text }, ...messages];
}

/** Tools as ToolRL's prompts list them. */
function listing(tools: readonly ToolDefinition[]): string {
  const entries = tools.map(
    ({ name, description, parameters }, i) =>
      `${i + 1}. Name: ${name}\nDescription: ${description}\nParameters: ${spacedJson(parameters)}`,
  );
  return `You can use these tools:\n${entries.join('\n')}`;
}
