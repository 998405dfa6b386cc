import { sql } from 'drizzle-orm';
import { studentHalf95 } from '../contracts/confidence.ts';
import type { StepPoint } from '../contracts/dashboard.ts';
import { REWARD_MAX, REWARD_MIN } from '../contracts/reward.ts';
import { CATEGORIES, type Category } from '../contracts/sampling.ts';
import type { Database } from './connection.ts';

type PointRow = { [column: string]: number | null } & {
  step: number;
  epoch: number;
  groups: number;
  kept_groups: number;
  rounds: number;
};
type Row = PointRow & { active: boolean };

const DONE = sql`('committed', 'skipped')`;

/**
 * The committed steps of a run after step `after`, in order, with what is drawn of them. Reads nothing of the steps before, so
 * that following a long run stays cheap.
 */
export async function stepPoints(db: Database, run: string, after: number): Promise<StepPoint[]> {
  // The spread is between prompts: completions of one prompt are not independent.
  const { rows } = await db.execute<Row>(sql`
    select s.step, s.epoch, (extract(epoch from s.committed_at) * 1000)::float8 as committed,
      s.reward, spread.reward as reward_error, s.exact_match, spread.exact_match as exact_match_error,
      s.groups, s.kept_groups, s.rounds, s.frac_reward_zero_std as zero_variance, s.active,
      c.mastery_format, c.mastery_name, c.mastery_key, c.mastery_value,
      c.weight_format, c.weight_name, c.weight_key, c.weight_value,
      s.entropy, s.kl, s.clip_ratio_low as clip_low, s.clip_ratio_high as clip_high, s.loss, s.grad_norm,
      s.learning_rate, s.completions_mean_length as mean_length, s.completions_clipped_ratio as cut_off,
      s.generated_tokens::float8 as tokens, s.rollout_seconds, s.gradient_seconds,
      extract(epoch from coalesce(s.committed_at, s.started_at) - s.started_at)::float8 as wall_seconds
    from steps s
    join curriculum_versions c on c.run = s.run and c.version = s.step
    left join lateral (
      select stddev_samp(g.reward) / sqrt(count(*)) as reward,
        stddev_samp(g.exact_match) / sqrt(count(*)) as exact_match
      from groups g where g.run = s.run and g.step = s.step and g.round is not null
    ) spread on true
    where s.run = ${run} and s.step > ${after} and s.state in ${DONE}
    order by s.step`);
  const moves = await categoryMoves(db, run, after);
  return rows.map((row) => toPoint(row, moves.get(row.step) ?? NO_MOVES));
}

type Moves = StepPoint['moves'];
const NO_MOVES = Object.fromEntries(CATEGORIES.map((category) => [category, 0])) as Moves;

/**
 * By how many samples each category grew or shrank in each step after `after`. A sample leaves the category that it was drawn in,
 * and enters the one that it has at its next draw, or now where there was none since.
 */
async function categoryMoves(
  db: Database,
  run: string,
  after: number,
): Promise<ReadonlyMap<number, Moves>> {
  const { rows } = await db.execute<{ step: number; category: Category; change: number }>(sql`
    with visits as (
      select g.step, g.sample_id, g.drawn_category as left_category,
        lead(g.drawn_category) over (partition by g.sample_id order by g.step) as next_category
      from groups g where g.run = ${run} and g.step > ${after} and g.round is not null
    ),
    learned as (
      select v.step, v.left_category, coalesce(v.next_category, t.category) as entered_category
      from visits v
      join steps s on s.run = ${run} and s.step = v.step and s.state in ${DONE}
      join sample_statistics t on t.run = ${run} and t.sample_id = v.sample_id
    )
    select step, category, sum(change)::integer as change from (
      select step, left_category as category, -1 as change from learned
      union all
      select step, entered_category, 1 from learned
    ) moved
    group by step, category`);
  const byStep = new Map<number, Moves>();
  for (const { step, category, change } of rows) {
    byStep.set(step, { ...(byStep.get(step) ?? NO_MOVES), [category]: change });
  }
  return byStep;
}

function toPoint(row: Row, moves: Moves): StepPoint {
  const number = (column: string): number => row[column] ?? 0;
  const optional = (column: string): number | null => row[column] ?? null;
  // No wider than what the mean can be: that of two prompts would leave nothing else of the picture to be seen.
  const interval = (column: string, least: number, most: number) => {
    const errors = studentHalf95(row.groups);
    if (errors === null) return { low: null, high: null };
    const [middle, half] = [number(column), errors * number(`${column}_error`)];
    return { low: Math.max(least, middle - half), high: Math.min(most, middle + half) };
  };
  const reward = interval('reward', REWARD_MIN, REWARD_MAX);
  const exactMatch = interval('exact_match', 0, 1);
  return {
    step: row.step,
    epoch: row.epoch,
    committedAt: new Date(number('committed')).toISOString(),
    reward: number('reward'),
    rewardLow: reward.low,
    rewardHigh: reward.high,
    exactMatch: number('exact_match'),
    exactMatchLow: exactMatch.low,
    exactMatchHigh: exactMatch.high,
    groups: row.groups,
    keptGroups: row.kept_groups,
    rounds: row.rounds,
    zeroVariance: number('zero_variance'),
    active: row.active,
    mastery: {
      format: optional('mastery_format'),
      name: optional('mastery_name'),
      key: optional('mastery_key'),
      value: optional('mastery_value'),
    },
    weights: {
      format: number('weight_format'),
      name: number('weight_name'),
      key: number('weight_key'),
      value: number('weight_value'),
    },
    entropy: optional('entropy'),
    kl: optional('kl'),
    clipLow: optional('clip_low'),
    clipHigh: optional('clip_high'),
    loss: optional('loss'),
    gradNorm: optional('grad_norm'),
    learningRate: optional('learning_rate'),
    meanLength: number('mean_length'),
    cutOff: number('cut_off'),
    generatedTokens: number('tokens'),
    rolloutSeconds: number('rollout_seconds'),
    gradientSeconds: number('gradient_seconds'),
    wallSeconds: number('wall_seconds'),
    moves,
  };
}
