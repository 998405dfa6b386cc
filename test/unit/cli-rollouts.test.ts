import { describe, expect, it } from 'vitest';
import { chooseExample } from '../../cli/example.ts';
import { groupLines, type GroupReport, type Scoring } from '../../cli/render/rollouts.ts';
import { painter } from '../../cli/render/text.ts';
import { UNIT_WEIGHTS } from '../../contracts/curriculum.ts';
import type { Sample } from '../../contracts/sample.ts';

const truth =
  '<think>ok</think>\n<tool_call>\n{"name": "set_alarm", "parameters": {"hour": 7, "label": "run"}}\n</tool_call>';

const sample: Sample = {
  id: 'builtin-000017',
  messages: [
    { role: 'system', content: 'tools' },
    { role: 'user', content: 'wake me at 7 to run' },
  ],
  groundTruth: truth,
  shape: 'call',
  calls: [{ name: 'set_alarm', parameters: { hour: 7, label: 'run' } }],
  level: 1,
  provenance: { format: 'builtin', source: 'generator', row: 18 },
};

const SCORING: Scoring = { weights: UNIT_WEIGHTS, valueMatch: 'toolrl' };

function group(part: Partial<GroupReport['completions'][number]> = {}): GroupReport {
  return {
    rank: 0,
    sample,
    category: 'active',
    importance: 0.42,
    state: 'kept',
    dropReason: null,
    round: 0,
    completions: [
      {
        index: 3,
        completion: truth.replace('7', '8'),
        completionTokens: 31,
        finishReason: 'stop',
        scores: { format: 1, name: 1, key: 1, value: 0.5 },
        reward: 2.5,
        weightedReward: 2.5,
        exactMatch: false,
        advantage: -0.4,
        ...part,
      },
    ],
  };
}

describe('groupLines', () => {
  it('shows request, truth, completion and how the reward adds up', () => {
    const text = groupLines(group(), SCORING, painter(false)).join('\n');
    expect(text).toContain('builtin-000017  (active, importance 0.42, trained on)');
    expect(text).toContain('wake me at 7 to run');
    expect(text).not.toContain('tools');
    expect(text).toContain('"hour": 8');
    expect(text).toMatch(/value +0\.50 +1\.50 +3\.00/);
    expect(text).toMatch(/base +-3\.00/);
    expect(text).toMatch(/reward +2\.50/);
    expect(text).toContain('advantage -0.400');
  });

  it('shows control characters of an id as their codes', () => {
    const hostile = { ...group(), sample: { ...sample, id: 'a\u001b[2J' } };
    const text = groupLines(hostile, SCORING, painter(false)).join('\n');
    expect(text).toContain('a\\x1b[2J');
    expect(text).not.toContain('\u001b');
  });

  it('says so when a completion is not scored', () => {
    const unscored = { format: null, name: null, key: null, value: null };
    const part = { scores: unscored, reward: null, weightedReward: null, advantage: null };
    expect(groupLines(group(part), SCORING, painter(false)).join('\n')).toContain('not scored yet');
  });
});

function answer(id: string, request: string, exactMatch: boolean, reward: number) {
  return {
    sample: { ...sample, id, messages: [{ role: 'user' as const, content: request }] },
    completion: 'x',
    exactMatch,
    reward,
    scores: { format: 1, name: 1, key: 1, value: 1 },
  };
}

describe('chooseExample', () => {
  it('prefers the shortest task that turned from wrong to right', () => {
    const before = [
      answer('a', 'a long request', false, -3),
      answer('b', 'short', false, 3),
      answer('c', 'x', true, 4),
    ];
    const after = [
      answer('a', 'a long request', true, 4),
      answer('b', 'short', true, 4),
      answer('c', 'x', true, 4),
    ];
    expect(chooseExample('heldout', before, after)?.sampleId).toBe('b');
    expect(chooseExample('heldout', before, after.toReversed())?.sampleId).toBe('b');
  });

  it('falls back to the largest gain, and to nothing', () => {
    const before = [answer('a', 'r', false, 0), answer('b', 'r', false, 0)];
    const after = [answer('a', 'r', false, 1), answer('b', 'r', false, 2)];
    expect(chooseExample('heldout', before, after)).toMatchObject({
      sampleId: 'b',
      before: { reward: 0 },
      after: { reward: 2 },
    });
    expect(chooseExample('heldout', after, before)).toBeNull();
  });
});
