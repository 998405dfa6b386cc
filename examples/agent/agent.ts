import { parseArgs } from 'node:util';
import OpenAI, { BadRequestError } from 'openai';
import { TOOLS } from './tools.ts';

/*
 * A small agent: it hands a served policy some tools, really runs what is called, and hands back the results, until the policy
 * answers in words. `npx toolsample serve` has to run; OPENAI_BASE_URL says where, if not at its usual place.
 *
 *   node --import tsx examples/agent/agent.ts "show the watch in tokyo and start the timer for half an hour"
 */

const MOST_TURNS = 4;

async function answer(client: OpenAI, question: string): Promise<void> {
  const tools = Object.entries(TOOLS).map(([name, { description, parameters }]) => ({
    type: 'function' as const,
    function: { name, description, parameters: { ...parameters } },
  }));
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: question }];
  const made = new Set<string>();
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const completion = await client.chat.completions.create({
      model: 'policy',
      messages,
      tools,
      temperature: 0,
    });
    const message = completion.choices[0]?.message;
    if (message === undefined) return;
    if ((message.content ?? '') !== '') console.log(message.content);
    const calls = message.tool_calls?.filter((call) => call.type === 'function') ?? [];
    // Policies that were trained on single turns never say that they are done: they call the same again.
    const fresh = calls.filter(
      ({ function: { name, arguments: given } }) => !made.has(name + given),
    );
    if (fresh.length === 0) return;
    messages.push(message);
    for (const { id, function: call } of calls) {
      made.add(call.name + call.arguments);
      const content = run(call.name, call.arguments);
      console.log(`${call.name} ${call.arguments} → ${content}`);
      messages.push({ role: 'tool', tool_call_id: id, content });
    }
  }
}

/** Runs a call. What is wrong with it is told to the policy, like a result. */
function run(name: string, given: string): string {
  const tool = Object.hasOwn(TOOLS, name) ? TOOLS[name] : undefined;
  if (tool === undefined) return `error: there is no tool ${name}`;
  try {
    return tool.run(JSON.parse(given) as { readonly [name: string]: unknown });
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const { positionals } = parseArgs({ allowPositionals: true });
const client = new OpenAI({
  baseURL: process.env['OPENAI_BASE_URL'] ?? 'http://127.0.0.1:8000/v1',
  apiKey: process.env['OPENAI_API_KEY'] ?? 'none',
});
try {
  await answer(client, positionals.join(' '));
} catch (error) {
  // Tools that were run fill a small policy's context soon.
  if (!(error instanceof BadRequestError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
