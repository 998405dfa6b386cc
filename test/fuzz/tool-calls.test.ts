import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CompletionShape, Sample } from '../../contracts/sample.ts';
import { callLine } from '../../contracts/tool-call-text.ts';
import { readGroundTruth } from '../../datasets/ground-truth.ts';
import { rllaSample } from '../../datasets/formats/rlla.ts';
import { hasFormat, MAX_COMPLETION_LENGTH, readCallList } from '../../dscl/completion.ts';
import { scoreCompletion } from '../../dscl/reward.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import { broken, hostileText, hostileValue, nestedText } from './support/hostile-json.ts';

const SHAPES: readonly CompletionShape[] = ['think', 'call', 'response', 'both'];
const CALL = {
  name: 'bell_set',
  parameters: { clock: '10:00', days: [1, 2.5, null], o: { a: 1 } },
};
const truth = (...lines: readonly string[]): string =>
  `<think>ok</think>\n<tool_call>\n${lines.join('\n')}\n</tool_call>`;
const TRUTH: Pick<Sample, 'shape' | 'groundTruth' | 'calls'> = {
  shape: 'call',
  groundTruth: truth(callLine(CALL), callLine({ name: 'other', parameters: {} })),
  calls: [CALL, { name: 'other', parameters: {} }],
};

const TAGS = [
  '<think>', '</think>', '<tool_call>', '</tool_call>', '<response>', '</response>', '</think>\n<tool_call>\n',
  '\n</tool_call>', '\n', ' ', '\u0085', '\ufeff', '{"name": "bell_set", "parameters": {}}', '{', '}', '[', ']',
  '"', '\\', ':', ',', '\\ud83d', 'NaN', '-Infinity', '1e999', '-', '0', '1'.repeat(5000), 'null', 'true',
] as const; // prettier-ignore

const completion = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...TAGS) }, hostileText()), {
        maxLength: 24,
      })
      .map((parts) => parts.join('')),
    fc
      .array(fc.oneof(broken(CALL), hostileValue()), { maxLength: 4 })
      .map((calls) => truth(...calls.map((call) => JSON.stringify(call) ?? ''))),
  );

/** A score is a number in its range, whatever was written. */
function score(text: string): void {
  for (const valueMatch of ['toolrl', 'bfcl'] as const) {
    const { reward, scores } = scoreCompletion({
      completion: text,
      groundTruth: TRUTH,
      valueMatch,
    });
    expect(reward >= -3 && reward <= 4).toBe(true);
    for (const part of Object.values(scores)) expect(part >= 0 && part <= 1).toBe(true);
  }
}

describe('tool calls', { timeout: FUZZ_TIMEOUT }, () => {
  it('of completions get a score, whatever the policy wrote', async () => {
    await fuzz(completion(), async (text) => {
      await inTime(() => score(text));
      for (const shape of SHAPES) hasFormat(text, shape);
    });
  });

  it('of ground truths are read or not, whatever they are', async () => {
    await fuzz(completion(), async (text) => {
      const reading = await inTime(() => readGroundTruth(text));
      if ('problem' in reading) expect(reading.problem.length).toBeLessThan(500);
      else
        for (const call of reading.calls)
          expect(readCallList(truth(callLine(call)))).toHaveLength(1);
    });
  });

  it('of rows make samples or rejections, whatever the rows are', async () => {
    const rows = fc.oneof(
      broken({ instruction: 'i', input: 'in', output: TRUTH.groundTruth }),
      broken({
        prompt: [{ role: 'user', content: 'q' }],
        reward_model: { ground_truth: TRUTH.groundTruth },
      }),
      fc.record({ instruction: hostileText(), input: hostileText(), output: completion() }),
      hostileValue(),
    );
    await fuzz(rows, async (row) => {
      const item = await inTime(() => rllaSample(row, 'file', 1));
      if ('reason' in item) expect(item.reason.length).toBeLessThan(500);
    });
  });

  const LONG = MAX_COMPLETION_LENGTH;
  it.each([
    ['deep lists', truth(nestedText(100_000))],
    ['deep objects', truth('{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000))],
    ['tags without end', '<tool_call>'.repeat(LONG / 11)],
    ['thoughts without end', '<think>'.repeat(LONG / 7)],
    ['ends of thoughts', `<think>${'</think>'.repeat(LONG / 9)}`],
    ['ends of thoughts with calls', `<think>${'</think>\n<tool_call>\n'.repeat(LONG / 25)}`],
    ['ends of calls', `${truth('1')}${'\n</tool_call>'.repeat(LONG / 14)}\n<response>`],
    ['responses', truth(`1${'\n</tool_call>\n<response>'.repeat(LONG / 26)}`)],
    ['brackets', `<think>${'<'.repeat(LONG - 100)}`],
    ['empty lines', `<think>ok</think>\n<tool_call>${'\n'.repeat(LONG - 100)}</tool_call>`],
    ['white space', truth(' '.repeat(LONG - 100))],
    ['digits', truth('1'.repeat(LONG - 100))],
    [
      'calls',
      truth(...Array.from({ length: LONG / 40 }, () => '{"name":"bell_set","parameters":{}}')),
    ],
    ['one byte too many', 'x'.repeat(LONG + 1)],
  ])('end in time with %s', async (_what, text) => {
    await inTime(() => {
      score(text);
      readGroundTruth(text);
      rllaSample({ instruction: 'i', input: text, output: text }, 'file', 1);
    });
  });
});
