import { and, asc, eq, gte, lt, lte, ne, sql } from 'drizzle-orm';
import type { RoundKey, StepKey } from '../contracts/activities.ts';
import type { Database } from './connection.ts';
import { epochs, rounds, steps } from './schema/steps.ts';

export type StepRow = typeof steps.$inferSelect;
export type RoundRow = typeof rounds.$inferSelect;

/** The row of a step; null before its batch is selected. */
export async function findStep(
  db: Database,
  key: Pick<StepKey, 'run' | 'step'>,
): Promise<StepRow | null> {
  const [row] = await db.select().from(steps).where(atStep(key));
  return row ?? null;
}

/** The row of a round; null before it is planned. */
export async function findRound(db: Database, key: RoundKey): Promise<RoundRow | null> {
  const [row] = await db.select().from(rounds).where(atRound(key));
  return row ?? null;
}

/** Reads the row of a step and holds it until the transaction ends: one attempt after the other. */
export async function lockStep(tx: Database, key: StepKey): Promise<StepRow> {
  const [row] = await tx.select().from(steps).where(atStep(key)).for('update');
  if (row === undefined) throw new Error(`step ${key.step} of run "${key.run}" was not selected`);
  return row;
}

/** Reads the row of a round and holds it until the transaction ends. */
export async function lockRound(tx: Database, key: RoundKey): Promise<RoundRow> {
  const [row] = await tx.select().from(rounds).where(atRound(key)).for('update');
  if (row === undefined) {
    throw new Error(`round ${key.round} of step ${key.step} of run "${key.run}" was not planned`);
  }
  return row;
}

/** Starts a step and, with its first step, the epoch. False when another attempt has done so already. */
export async function insertStep(
  tx: Database,
  step: Pick<StepRow, 'run' | 'epoch' | 'step' | 'active' | 'curriculumVersion' | 'groups'>,
  epoch: { readonly firstStep: number; readonly lastStep: number },
): Promise<boolean> {
  await tx
    .insert(epochs)
    .values({ run: step.run, epoch: step.epoch, state: 'running', ...epoch })
    .onConflictDoNothing();
  const inserted = await tx
    .insert(steps)
    .values({ ...step, state: 'selected' })
    .onConflictDoNothing()
    .returning({ step: steps.step });
  return inserted.length > 0;
}

/** Records how many groups a step that was started rolls out at first, where these are not as many as planned. */
export async function setStepGroups(tx: Database, key: StepKey, groups: number): Promise<void> {
  await tx.update(steps).set({ groups }).where(atStep(key));
}

/** Plans a round of rollout. */
export async function insertRound(
  tx: Database,
  { run, step, round }: RoundKey,
  planned: { readonly groups: number; readonly shards: number },
): Promise<void> {
  await tx.insert(rounds).values({ run, step, round, ...planned });
}

/** Records which groups were kept so far, and the shards of the next round. */
export async function setRoundFiltered(
  tx: Database,
  key: RoundKey,
  outcome: Pick<RoundRow, 'kept' | 'dropped' | 'backfillShards'>,
): Promise<void> {
  await tx
    .update(rounds)
    .set({ ...outcome, filteredAt: sql`now()` })
    .where(atRound(key));
}

/** What a step's rollouts amount to. */
export type StepMetrics = Pick<
  StepRow,
  | 'groups'
  | 'keptGroups'
  | 'rounds'
  | 'completions'
  | 'reward'
  | 'rewardStd'
  | 'fracRewardZeroStd'
  | 'rewardsFormatMean'
  | 'rewardsNameMean'
  | 'rewardsKeyMean'
  | 'rewardsValueMean'
  | 'weightedReward'
  | 'exactMatch'
  | 'completionsMeanLength'
  | 'completionsClippedRatio'
  | 'generatedTokens'
  | 'rolloutSeconds'
>;

/** Marks a step as learned, with its metrics. */
export async function setStepLearned(
  tx: Database,
  key: StepKey,
  metrics: StepMetrics,
): Promise<void> {
  await tx
    .update(steps)
    .set({ ...metrics, state: 'learned', learnedAt: sql`now()` })
    .where(atStep(key));
}

/** Completion tokens generated for training up to a step (default: in all), those of groups that were dropped too. */
export async function generatedTokensUpTo(
  db: Database,
  run: string,
  step?: number,
): Promise<number> {
  const [row] = await db
    .select({ tokens: sql<number>`coalesce(sum(${steps.generatedTokens}), 0)`.mapWith(Number) })
    .from(steps)
    .where(
      and(
        eq(steps.run, run),
        ne(steps.state, 'selected'),
        step === undefined ? undefined : lte(steps.step, step),
      ),
    );
  return row?.tokens ?? 0;
}

/** The rounds of a step. */
export async function roundsOfStep(db: Database, key: StepKey): Promise<RoundRow[]> {
  return db
    .select()
    .from(rounds)
    .where(and(eq(rounds.run, key.run), eq(rounds.step, key.step)))
    .orderBy(asc(rounds.round));
}

/** Groups that the steps of an epoch before `step` have rolled out. */
export async function groupsOfEpochBefore(db: Database, key: StepKey): Promise<number> {
  const [row] = await db
    .select({ groups: sql<number>`coalesce(sum(${steps.groups}), 0)`.mapWith(Number) })
    .from(steps)
    .innerJoin(epochs, and(eq(epochs.run, steps.run), eq(epochs.epoch, key.epoch)))
    .where(
      and(eq(steps.run, key.run), gte(steps.step, epochs.firstStep), lt(steps.step, key.step)),
    );
  return row?.groups ?? 0;
}

function atStep({ run, step }: Pick<StepKey, 'run' | 'step'>) {
  return and(eq(steps.run, run), eq(steps.step, step));
}

/** One round, for a WHERE. */
export function atRound({ run, step, round }: RoundKey) {
  return and(eq(rounds.run, run), eq(rounds.step, step), eq(rounds.round, round));
}
