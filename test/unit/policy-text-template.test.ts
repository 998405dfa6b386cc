import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../contracts/json.ts';
import { readChatTemplate } from '../../policy/text/chat-template.ts';
import { parseTemplate } from '../../policy/text/template-program.ts';

const value = {
  b: [1, 0.5, 1e-5, -2.5e-7, true, null],
  a: { ü: 'x"\\\n\u0001\u007f\u2028</é>🤖', e: {}, l: [] },
};

/** The right column is what transformers 5.23 with jinja2 3.1.6 renders. */
const cases: [template: string, text: string][] = [
  [
    '{{ v | tojson }}',
    '{"b": [1, 0.5, 1e-05, -2.5e-07, true, null], "a": {"ü": "x\\"\\\\\\n\\u0001\u007f\u2028</é>🤖", "e": {}, "l": []}}',
  ],
  [
    '{{ v.a | tojson(ensure_ascii=true) }}',
    '{"\\u00fc": "x\\"\\\\\\n\\u0001\\u007f\\u2028</\\u00e9>\\ud83e\\udd16", "e": {}, "l": []}',
  ],
  [
    '{{ {"b": [1, {}], "a": []} | tojson(indent=2, sort_keys=true) }}',
    '{\n  "a": [],\n  "b": [\n    1,\n    {}\n  ]\n}',
  ],
  ['{{ {"b": [1, 2]} | tojson(false, "\t") }}', '{\n\t"b": [\n\t\t1,\n\t\t2\n\t]\n}'],
  ['{{ {"b": [1, 2]} | tojson(separators=(",", ":")) }}', '{"b":[1,2]}'],
  [
    '{{ none | tojson }}{{ "a" | tojson }}{{ missing | default(0.00001) | tojson }}',
    'null"a"1e-05',
  ],
  [
    '[{{ s | trim }}|{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip() }}]',
    '[\ufeffa|\ufeffa|\ufeffa\x1c\x85 |\n\x1c\ufeffa]',
  ],
  [
    "[{{ '\\n\\n a \\n'.strip('\\n') }}|{{ 'xyax'.lstrip('xy') }}|{{ 'a🤖🤖'.rstrip('🤖') }}]",
    '[ a |ax|a]',
  ],
  ["{{ 'a, b</t>  c'.split('</t>')[-1].lstrip(' ').rstrip().strip('c') }}!", '!'],
  [
    "{% set m = {'items': 1, 'get': 2} %}{% for k, v in m.items() %}{{ k }}{{ v }}{% endfor %}{{ m['items'] }}{{ m.get('get') }}",
    'items1get212',
  ],
  ['{{ [1, 2] | join(",") }}{% for i in range(2, 9, 3) %}{{ i }}{% endfor %}', '1,2258'],
  ['a\r\n{% if true %}\r\nb{% endif %}\r\n', 'a\nb'],
  ['{% macro m(strip) %}{{ strip | trim }}{% endmacro %}{{ m(" x ") }}', 'x'],
];

describe('templates', () => {
  it.each(cases)('renders %j as Python does', (template, text) => {
    expect(parseTemplate(template)({ v: value, s: '\n\x1c\ufeffa\x1c\x85 ' })).toBe(text);
  });

  it('writes whole floats as integers: JSON in JavaScript does not tell them apart', () => {
    const parsed: unknown = JSON.parse('[1.0, {"2": 1, "1": 1}]');
    // Python: [1.0, {"2": 1, "1": 1}]
    expect(parseTemplate('{{ v | tojson }}')({ v: parsed })).toBe('[1, {"1": 1, "2": 1}]');
  });

  it('does not know what day it is', () => {
    const text = parseTemplate('{{ strftime_now("%d %b %Y, %A %B %y %m %a %H:%M:%S %% %Q") }}')({});
    expect(text).toBe('26 Jul 2024, Friday July 24 07 Fri 00:00:00 % %Q');
  });

  it('stops at what a template raises, at endless ranges and at what is no data', () => {
    expect(() => parseTemplate('{{ raise_exception("one call only") }}')({})).toThrow(
      'one call only',
    );
    expect(() => parseTemplate('{% for i in range(100001) %}{% endfor %}')({})).toThrow(
      /at most 100000/,
    );
    expect(() => parseTemplate('{{ range(0, 9, 0) }}')({})).toThrow(/range/);
    expect(() => parseTemplate('{{ [range] | tojson }}')({})).toThrow(/only data/);
    expect(() => parseTemplate('{{ none | trim }}')({})).toThrow(/a text is expected/);
    expect(() => parseTemplate('{{ [1] | tojson(indent=2000000) }}')({})).toThrow(/more than 100/);
    expect(parseTemplate('{{ [[1]] | tojson(indent=9) }}')({})).toBe(
      `[\n${' '.repeat(9)}[\n${' '.repeat(18)}1\n${' '.repeat(9)}]\n]`,
    );
    const deep = `{% set a = range(9000) %}${'{% set a = [a] %}'.repeat(40)}{{ a | tojson(indent=90) }}`;
    expect(() => parseTemplate(deep)({})).toThrow(/characters as JSON/);
  });

  it('takes the template for tools where there are tools', async () => {
    const templates = [
      { name: 'default', template: "plain{{ ' none' if tools is none }}" },
      { name: 'tool_use', template: '{{ tools[0].name }}' },
    ];
    const parts = { tokenizer: {}, named: {}, eosIds: [0], contextLength: 8 };
    const render = await readChatTemplate(
      { paths: {} },
      { ...parts, config: { chat_template: templates } },
    );
    const tools: JsonObject[] = [{ name: 'get_weather' }];
    expect(render([], null)).toBe('plain none');
    expect(render([], tools)).toBe('get_weather');
    const alone = { ...parts, config: { chat_template: '{{ tools | tojson }}' } };
    expect((await readChatTemplate({ paths: {} }, alone))([], tools)).toBe(
      '[{"name": "get_weather"}]',
    );
  });

  it('repeats no more than a piece of the messages that a template refuses', async () => {
    const template = '{{ raise_exception("no: " ~ messages[0].content) }}';
    const parts = { tokenizer: {}, named: {}, eosIds: [0], contextLength: 8 };
    const render = await readChatTemplate(
      { paths: {} },
      { ...parts, config: { chat_template: template } },
    );
    const told = (content: string): string => {
      try {
        return render([{ role: 'user', content }], null);
      } catch (error) {
        return String(error);
      }
    };
    expect(told('why\nand how')).toContain('cannot render the messages: no: why — correct');
    expect(told('why '.repeat(10_000)).length).toBeLessThan(1000);
  });
});
