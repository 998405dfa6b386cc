import type { AggregateScore } from '../../contracts/suite-evaluation.ts';
import type { BfclCategory } from './categories.ts';

/** What a category came to. */
export interface CategoryScore {
  readonly category: BfclCategory;
  readonly correct: number;
  readonly total: number;
}

/** A number that may rest on less than it should. */
interface Score {
  readonly accuracy: number;
  readonly notRun: readonly string[];
}

type Scores = ReadonlyMap<BfclCategory, CategoryScore>;

/** Questions of the live categories, by which those weigh that were not run, or in part. [BFCL] */
const LIVE_QUESTIONS = {
  live_simple: 258,
  live_multiple: 1053,
  live_parallel: 16,
  live_parallel_multiple: 24,
  live_irrelevance: 884,
  live_relevance: 16,
} as const satisfies { readonly [category in BfclCategory]?: number };

const LIVE_AST = [
  'live_simple',
  'live_multiple',
  'live_parallel',
  'live_parallel_multiple',
] as const;
const LIVE = [...LIVE_AST, 'live_irrelevance', 'live_relevance'] as const;

/** Groups of categories in which tools are executed: not part of toolsample. */
const NEVER_RUN = {
  multiTurn: { accuracy: 0, notRun: ['multi_turn'] },
  agentic: { accuracy: 0, notRun: ['agentic'] },
} as const satisfies { readonly [group: string]: Score };

/** Shares of version 4's groups in the whole. [BFCL] */
const V4_WEIGHTS = { nonLive: 10, live: 10, irrelevance: 10, multiTurn: 30, agentic: 40 } as const;

/**
 * The leaderboard's means over categories, of its third and fourth version. What was not run counts as 0 there, and is named here.
 * (Version 3 counts irrelevance as a category of its groups, version 4 as a group of its own.)
 * @param limit questions of each category that were asked at most; null: all of them were
 */
export function aggregateScores(
  given: readonly CategoryScore[],
  limit: number | null,
): readonly AggregateScore[] {
  const scores: Scores = new Map(given.map((score) => [score.category, score]));
  const of = (category: BfclCategory): Score => scoreOf(scores, category);
  const simple = mean([of('simple_python'), of('simple_java'), of('simple_javascript')]);
  const ast = [simple, of('multiple'), of('parallel'), of('parallel_multiple')];
  const irrelevance = of('irrelevance');
  const v3 = { nonLive: mean([...ast, irrelevance]), live: byCount(scores, LIVE, limit) };
  const v4 = {
    nonLive: mean(ast),
    live: byCount(scores, LIVE_AST, limit),
    irrelevance: mean([irrelevance, of('live_irrelevance')]),
  };
  const { multiTurn, agentic } = NEVER_RUN;
  return [
    told('v3', 'non-live', v3.nonLive),
    told('v3', 'live', v3.live),
    told('v3', 'overall', mean([v3.nonLive, v3.live, multiTurn])),
    told('v4', 'non-live', v4.nonLive),
    told('v4', 'live', v4.live),
    told('v4', 'irrelevance', v4.irrelevance),
    told('v4', 'overall', weighted({ ...v4, multiTurn, agentic })),
  ];
}

function told(version: AggregateScore['version'], name: string, score: Score): AggregateScore {
  return { version, name, ...score };
}

function scoreOf(scores: Scores, category: BfclCategory): Score {
  const score = scores.get(category);
  return score === undefined || score.total === 0
    ? { accuracy: 0, notRun: [category] }
    : { accuracy: score.correct / score.total, notRun: [] };
}

function mean(scores: readonly Score[]): Score {
  const sum = scores.reduce((total, { accuracy }) => total + accuracy, 0);
  return { accuracy: sum / scores.length, notRun: notRun(scores) };
}

/**
 * The mean by number of questions: all that a category has, also where the first ones alone were asked. (The official harness weighs what
 * was run in part by that part, and what was not run by the whole: the mean of a few questions of one category is next to nothing there.)
 */
function byCount(
  scores: Scores,
  categories: readonly (keyof typeof LIVE_QUESTIONS)[],
  limit: number | null,
): Score {
  const parts = categories.map((category) => {
    const asked = scores.get(category)?.total ?? 0;
    const isWhole = asked > 0 && (limit === null || asked < limit);
    return {
      ...scoreOf(scores, category),
      total: isWhole ? asked : LIVE_QUESTIONS[category],
    };
  });
  const missing = notRun(parts);
  const total = parts.reduce((sum, part) => sum + part.total, 0);
  const correct = parts.reduce((sum, part) => sum + part.accuracy * part.total, 0);
  return {
    accuracy: correct / total,
    notRun: missing.length === parts.length ? ['live'] : missing,
  };
}

function weighted(scores: { readonly [group in keyof typeof V4_WEIGHTS]: Score }): Score {
  const groups = Object.entries(V4_WEIGHTS) as [keyof typeof V4_WEIGHTS, number][];
  const accuracy = groups.reduce(
    (sum, [group, percent]) => sum + (scores[group].accuracy * percent) / 100,
    0,
  );
  return { accuracy, notRun: notRun(groups.map(([group]) => scores[group])) };
}

/** Each name once, in order. */
function notRun(scores: readonly Score[]): readonly string[] {
  return [...new Set(scores.flatMap((score) => score.notRun))];
}
