import { sql, type SQL } from 'drizzle-orm';
import {
  MOST_SAMPLES,
  type SampleHistories,
  type SampleHistory,
  type SampleOrder,
} from '../contracts/dashboard.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { Sample } from '../contracts/sample.ts';
import type { Category } from '../contracts/sampling.ts';
import type { Database } from './connection.ts';
import { samplesById } from './corpora.ts';
import { readRun } from './runs.ts';

/** Visits of a sample that an answer holds at most, the last ones: as many as a screen has room for. */
const MOST_VISITS = 120;

const ORDERS: { readonly [order in SampleOrder]: SQL } = {
  importance: sql`t.importance desc`,
  reward: sql`(t.mean - s.reward_min) / (s.reward_max - s.reward_min)`,
  visits: sql`t.visits desc`,
  recent: sql`t.last_step desc`,
  id: sql`t.sample_id collate "C"`,
};

/**
 * The samples that a run has visited, with all their visits, in some order.
 *
 * @param limit samples at most; {@link MOST_SAMPLES} at most.
 * @throws ToolsampleError `not-found`
 */
export async function sampleHistories(
  db: Database,
  run: string,
  options: { readonly order: SampleOrder; readonly limit: number },
): Promise<SampleHistories> {
  const { corpusSamples } = await readRun(db, run);
  const { rows } = await db.execute<{ visited: number }>(sql`
    select count(*)::integer as visited from sample_statistics where run = ${run}`);
  const limit = Math.min(options.limit, MOST_SAMPLES);
  return {
    corpusSamples,
    visited: rows[0]?.visited ?? 0,
    samples: await histories(db, run, { which: sql`true`, order: ORDERS[options.order], limit }),
  };
}

/**
 * One sample that a run has visited.
 *
 * @throws ToolsampleError `not-found` when it never was
 */
export async function sampleHistory(
  db: Database,
  run: string,
  sampleId: string,
): Promise<{ readonly history: SampleHistory; readonly sample: Sample }> {
  const { corpus } = await readRun(db, run);
  const [history] = await histories(db, run, {
    which: sql`t.sample_id = ${sampleId}`,
    order: ORDERS.id,
    limit: 1,
  });
  const sample = (await samplesById(db, corpus, [sampleId])).get(sampleId);
  if (history === undefined || sample === undefined) {
    throw new ToolsampleError('not-found', `run ${run} has not visited a sample "${sampleId}"`);
  }
  return { history, sample };
}

type HistoryRow = {
  sample_id: string;
  level: number | null;
  category: Category;
  importance: number;
  reward_min: number;
  reward_max: number;
  visits: number;
  steps: number[];
  ranks: number[];
  rewards: (number | null)[];
  reward_stds: (number | null)[];
  exact_matches: (number | null)[];
  states: string[];
  categories: Category[];
  importances: number[];
};

async function histories(
  db: Database,
  run: string,
  { which, order, limit }: { readonly which: SQL; readonly order: SQL; readonly limit: number },
): Promise<SampleHistory[]> {
  const { rows } = await db.execute<HistoryRow>(sql`
    with chosen as (
      select t.sample_id, s.level, t.category, t.importance, s.reward_min, s.reward_max,
        row_number() over (order by ${order}, t.sample_id collate "C") as place
      from sample_statistics t
      join samples s on s.corpus = t.corpus and s.sample_id = t.sample_id
      where t.run = ${run} and ${which}
      order by place limit ${limit}
    )
    select c.*, v.*
    from chosen c
    cross join lateral (
      select max(visits)::integer as visits, array_agg(step order by step) as steps, array_agg(rank order by step) as ranks,
        array_agg(reward order by step) as rewards,
        array_agg(reward_std order by step) as reward_stds,
        array_agg(exact_match order by step) as exact_matches, array_agg(state order by step) as states,
        array_agg(drawn_category order by step) as categories,
        array_agg(drawn_importance order by step) as importances
      from (
        select *, count(*) over () as visits from groups g
        where g.run = ${run} and g.sample_id = c.sample_id and g.round is not null
        order by g.step desc limit ${MOST_VISITS}
      ) last_visits
    ) v
    order by c.place`);
  return rows.map((row) => ({
    sampleId: row.sample_id,
    level: row.level,
    category: row.category,
    importance: row.importance,
    rewardMin: row.reward_min,
    rewardMax: row.reward_max,
    visits: row.visits,
    steps: row.steps,
    ranks: row.ranks,
    rewards: row.rewards,
    rewardStds: row.reward_stds,
    exactMatches: row.exact_matches,
    kept: row.states.map((state) => (state === 'drawn' ? null : state === 'kept')),
    categories: row.categories,
    importances: row.importances,
  }));
}
