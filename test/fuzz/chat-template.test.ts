import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../contracts/json.ts';
import { readChatTemplate } from '../../policy/text/chat-template.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import { hostileText, hostileValue } from './support/hostile-json.ts';
import { refusing } from './support/typed-errors.ts';

const BIG = 'x'.repeat(1 << 20);
/** Memory that one rendering may take beyond what it holds at the end: V8's longest text, and garbage. */
const MAX_GROWTH = 1.5e9;

let path: string;
beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'toolsample-fuzz-template-')), 'chat_template.jinja');
});
afterAll(async () => rm(join(path, '..'), { recursive: true, force: true }));

async function render(template: string, message: JsonObject): Promise<string | undefined> {
  await writeFile(path, template);
  return refusing(['tokenizer'], async () =>
    inTime(async () => {
      const renderer = await readChatTemplate(
        { paths: { 'chat_template.jinja': path } },
        { config: {}, named: {} },
      );
      return renderer([message], null);
    }),
  );
}

const PIECES = [
  '{% for m in messages %}', '{% endfor %}', '{% if m %}', '{% elif x %}', '{% else %}', '{% endif %}',
  '{% set x = messages %}', '{% set ns.x = ns.x + [ns] %}', '{% set ns = namespace(x=[]) %}',
  '{% macro f(a, b=1) %}', '{% endmacro %}', '{{ f(f) }}', '{% call f(1) %}', '{% endcall %}',
  '{{ ', ' }}', '{%- ', ' -%}', '{# ', ' #}', 'messages[0]', '.content', '["role"]', '[::-1]', '[1:', ']',
  ' | tojson(indent=4)', ' | replace("a", x)', ' | join(x)', ' | sort', ' | map(attribute="x")', ' | trim',
  '.split("")', '.strip(1)', '.items()', '.__proto__', '.constructor', ' ~ ', ' + ', ' * ', ' % ', ' ** 999 ',
  ' in ', ' not ', ' is defined', 'range(9999)', 'range(0, 1, 1e-9)', 'loop.index', '(', ')', '{', '}', ',',
  'raise_exception("no")', 'strftime_now("%Y")', '"', "'", '\n', '1e9', '-', '0', 'none', 'cycler', 'self',
] as const; // prettier-ignore

const grow = (step: string): string =>
  `{% set ns = namespace(x=[1], s="a") %}{% for i in range(99) %}${step}{% endfor %}{{ ns.x }}{{ ns.s }}`;
const often = (work: string): string =>
  `{% set big = messages[0].content %}{% for i in range(99999) %}${work}{% endfor %}`;

describe('chat templates', { timeout: FUZZ_TIMEOUT }, () => {
  it('are rendered or refused, whatever they are', async () => {
    const template = fc
      .array(fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...PIECES) }, hostileText()), {
        maxLength: 30,
      })
      .map((parts) => parts.join(''));
    const message = fc.dictionary(
      fc.oneof(fc.constantFrom('role', 'content', 'tool_calls'), hostileText()),
      hostileValue(),
      { maxKeys: 4 },
    );
    await fuzz(fc.tuple(template, message), async ([source, content]) => {
      await render(source, content as JsonObject);
    });
  });

  it.each([
    ['loops within loops', often(often(''))],
    ['calls itself', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
    [
      'calls itself twice',
      '{% macro m(f, n) %}{% if n %}{{ f(f, n - 1) }}{{ f(f, n - 1) }}{% endif %}{% endmacro %}{{ m(m, 60) }}',
    ],
    ['doubles a text', grow('{% set ns.s = ns.s ~ ns.s %}')],
    ['doubles a list', grow('{% set ns.x = ns.x + ns.x %}')],
    ['holds a list twice', grow('{% set ns.x = [ns.x, ns.x] %}')],
    ['holds itself', '{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}'],
    ['puts a text for each letter', '{% set b = messages[0].content %}{{ b | replace("x", b) }}'],
    ['joins with a long text', '{{ range(99999) | join(messages[0].content) }}'],
    ['indents without end', '{{ "a\\nb\\nc" | indent(500000000) }}'],
    ['looks through a text again and again', often('{% if "y" in big %}{% endif %}')],
    ['turns a text again and again', often('{% set y = big[::-1] %}')],
    ['splits a text again and again', often('{% set y = big.split("x") %}')],
    ['sorts again and again', often('{% set y = range(99999) | sort(reverse=true) %}')],
    ['has a range without end', '{{ range(0, 1e308, 1e-308) }}'],
    ['nests brackets', `{{ ${'('.repeat(90_000)}1${')'.repeat(90_000)} }}`],
    ['nests conditions', `${'{% if 1 %}'.repeat(9000)}${'{% endif %}'.repeat(9000)}`],
    ['chains filters', `{{ 1${' | abs'.repeat(30_000)} }}`],
    ['is too long', '#'.repeat(200_001)],
  ])('end when one %s', async (_what, template) => {
    const before = process.memoryUsage().rss;
    expect(await render(template, { role: 'user', content: BIG })).toBeUndefined();
    expect(process.memoryUsage().rss - before).toBeLessThan(MAX_GROWTH);
  });
});
