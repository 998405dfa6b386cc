import { expect, it } from 'vitest';
import type { CompletionDetail, GroupDetail } from '../../contracts/dashboard.ts';
import { csvText } from '../../dashboard/model/csv.ts';
import { callRows, completionRows } from '../../dashboard/model/group-rows.ts';
import { overviewRow } from '../../dashboard/model/overview-row.ts';
import { detail } from './support/run-points.ts';

const part = (score: number) => ({ score, points: 2 * score, most: 2, weightedPoints: 3 * score });

function completion(index: number, rest: Partial<CompletionDetail>): CompletionDetail {
  return {
    index,
    text: 'ok',
    tokens: 7,
    finishReason: 'stop',
    reward: 1,
    weightedReward: 2,
    exactMatch: false,
    advantage: null,
    parts: null,
    calls: null,
    ...rest,
  };
}

const GROUP: GroupDetail = {
  summary: {
    rank: 0,
    sampleId: 's',
    level: null,
    category: 'active',
    importance: 1,
    state: 'kept',
    dropReason: null,
    round: 0,
    reward: 1,
    rewardStd: 1,
    exactMatch: 0,
    request: 'r',
  },
  messages: [],
  tools: [],
  groundTruth: '',
  weights: { format: 0.5, name: 0.75, key: 1, value: 1.5 },
  base: -3,
  completions: [
    completion(0, {
      parts: { format: part(1), name: part(1), key: part(0.5), value: part(0) },
      calls: [
        {
          wanted: 'bell_set',
          given: 'bell_set',
          parameters: [
            { key: 'clock', wanted: '"10:00"', given: '"10 am"', right: false },
            { key: 'loud', wanted: null, given: 'true', right: false },
          ],
        },
        { wanted: 'bell_list', given: null, parameters: [] },
      ],
    }),
    completion(1, {}),
    completion(2, { calls: [] }),
  ],
};

it('saves the list of runs with its spark lines', () => {
  const overview = { ...detail([]).overview, rewards: [0.5, 1.25, null] };
  const row = overviewRow(overview);
  expect(row).toMatchObject({ run: 'r', reward_1: 0.5, reward_2: 1.25, reward_3: null });
  // A run with fewer parts leaves the others empty.
  const [head = '', , second = ''] = csvText([
    row,
    overviewRow({ ...overview, rewards: [2] }),
  ]).split('\r\n');
  expect(head).toMatch(/,reward_1,reward_2,reward_3$/);
  expect(second).toMatch(/,2,,$/);
});

it('saves completions with what their rewards are added up from', () => {
  const [scored, unscored] = completionRows(GROUP);
  expect(scored).toMatchObject({
    index: 0,
    reward: 1,
    base: -3,
    score_key: 0.5,
    points_key: 1,
    most_points_key: 2,
    weight_key: 1,
    weighted_points_key: 1.5,
    weight_value: 1.5,
  });
  expect(unscored).toMatchObject({ index: 1, score_key: undefined, weight_key: 1 });
  expect(csvText(completionRows(GROUP)).split('\r\n')[0]).not.toMatch(/parts|calls/);
});

it('saves compared calls, a row a parameter', () => {
  const call = { index: 0, readable: true, call: 1, wanted_call: 'bell_set', call_right: true };
  expect(callRows(GROUP)).toEqual([
    {
      ...call,
      given_call: 'bell_set',
      key: 'clock',
      wanted: '"10:00"',
      given: '"10 am"',
      right: false,
    },
    { ...call, given_call: 'bell_set', key: 'loud', wanted: null, given: 'true', right: false },
    { ...call, call: 2, wanted_call: 'bell_list', given_call: null, call_right: false },
    { index: 1, readable: false },
    { index: 2, readable: true },
  ]);
});
