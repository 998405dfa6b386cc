import { describe, expect, it } from 'vitest';
import type { GradientSummary } from '../../contracts/activities.ts';
import { stepRow, stepTable } from '../../workflows/step-table.ts';

const CURRICULUM = { version: 1, active: true, mastery: 'format .9', weights: 'format 1' };
const FIRST_ROUND = { groups: 4, reward: 1, rewardStd: 0.5, exactMatch: 0.25 };
const GRADIENT: GradientSummary = {
  skipped: false,
  reward: 2,
  loss: 0.01,
  gradNorm: 1,
  keptGroups: 3,
  groups: 6,
  generatedTokens: 300,
  seconds: 0.1,
};

describe('a step in Temporal’s UI', () => {
  it('has the reward and its spread of all rounds', () => {
    const row = stepRow(1, FIRST_ROUND, CURRICULUM, { ...GRADIENT, rewardStd: 0.75 });
    expect(row).toMatchObject({ reward: 2, rewardStd: 0.75, kept: 3, groups: 6 });
    expect(stepTable([row])).toContain('2.00\u00A0±\u00A00.75');
  });

  it('has the spread of its first round where an older version trained it', () => {
    expect(stepRow(1, FIRST_ROUND, CURRICULUM, GRADIENT).rewardStd).toBe(0.5);
  });
});
