import { describe, expect, it } from 'vitest';
import type { ChatMessage, ToolDefinition } from '../../contracts/sample.ts';
import { readChatTemplate } from '../../policy/text/chat-template.ts';
import { createPromptRenderer, type PromptRenderer } from '../../policy/text/prompt-text.ts';

const TOOLS: readonly ToolDefinition[] = [
  {
    name: 'tide table',
    description: 'High water.',
    parameters: { type: 'object', properties: {} },
  },
  {
    name: 'fee',
    description: '',
    parameters: { type: 'object', properties: { m: { type: 'number' } } },
  },
];
const QUESTION: readonly ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'When?' },
];

const PLAIN = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}";
const SHOWING = '{% for t in tools or [] %}<{{ t | tojson }}>{% endfor %}' + PLAIN;
const FUSSY = `{% if messages | length > 3 %}{{ raise_exception('too long') }}{% endif %}${SHOWING}`;

async function renderer(template: string): Promise<PromptRenderer> {
  const parts = { tokenizer: {}, named: {}, eosIds: [0], contextLength: 8 };
  const render = await readChatTemplate(
    { paths: {} },
    { ...parts, config: { chat_template: template } },
  );
  return createPromptRenderer(render);
}

describe('a prompt', () => {
  it('without tools is what the template makes of the messages, and nothing else', async () => {
    for (const template of [PLAIN, SHOWING, FUSSY]) {
      const text = (await renderer(template))({ messages: QUESTION });
      expect(text).toBe('[system]Be brief.[user]When?');
    }
  });

  it('with tools has them through the template, and the form that the reward asks for', async () => {
    const text = (await renderer(SHOWING))({ messages: QUESTION, tools: TOOLS });
    expect(text).toContain(
      '<{"type": "function", "function": {"name": "tide table", "description": "High water.", "parameters": {"type": "object", "properties": {}}}}>',
    );
    expect(text).toMatch(
      /\[system\]Be brief\.\n\nThink first\..*<response>your answer<\/response>/su,
    );
    expect(text).not.toContain('1. Name:');
  });

  it('has tools as text where the template does not show any', async () => {
    const text = (await renderer(PLAIN))({ messages: QUESTION.slice(1), tools: TOOLS });
    expect(text).toMatch(/^\[system\]You can use these tools:\n1\. Name: tide table\n/u);
    expect(text).toContain(
      '2. Name: fee\nDescription: \nParameters: {"type": "object", "properties": {"m": {"type": "number"}}}\n\nThink first.',
    );
    expect(text).toMatch(/\[user\]When\?$/u);
  });

  it('asks for the form also where there are no tools to offer', async () => {
    const text = (await renderer(SHOWING))({ messages: QUESTION, tools: [] });
    expect(text).toContain('Think first.');
    expect(text).not.toContain('tools:');
  });

  it('shows calls of earlier turns in the form of answers, several of them too', async () => {
    const call = { name: 'fee', parameters: { m: 9 } };
    const turns: readonly ChatMessage[] = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'Wait.', calls: [call, call] },
      { role: 'tool', content: '18' },
    ];
    const line = '{"name": "fee", "parameters": {"m": 9}}';
    const expected = `[user]q[assistant]Wait.\n<tool_call>\n${line}\n${line}\n</tool_call>[tool]18`;
    expect((await renderer(SHOWING))({ messages: turns })).toBe(expected);
    expect((await renderer(SHOWING))({ messages: turns, tools: TOOLS })).toContain(expected);
  });
});
