import { and, eq } from 'drizzle-orm';
import type { CurriculumState } from '../contracts/curriculum.ts';
import type { ActivationState } from '../contracts/sampling.ts';
import type { Database } from './connection.ts';
import { curriculumVersions } from './schema/learning.ts';

/** What a step leaves to the next: sub-task weights and the activation of dynamic sampling. */
export interface LearningState {
  readonly curriculum: CurriculumState;
  readonly activation: ActivationState;
}

/** The state after a step (0: the start); null before it is committed. */
export async function findLearningState(
  db: Database,
  run: string,
  version: number,
): Promise<LearningState | null> {
  const [row] = await db
    .select()
    .from(curriculumVersions)
    .where(and(eq(curriculumVersions.run, run), eq(curriculumVersions.version, version)));
  if (row === undefined) return null;
  return {
    curriculum: {
      version: row.version,
      mastery: {
        format: row.masteryFormat,
        name: row.masteryName,
        key: row.masteryKey,
        value: row.masteryValue,
      },
      weights: {
        format: row.weightFormat,
        name: row.weightName,
        key: row.weightKey,
        value: row.weightValue,
      },
    },
    activation: { active: row.active, streak: row.streak },
  };
}

/** The state that a step starts from. */
export async function learningStateBefore(
  db: Database,
  run: string,
  step: number,
): Promise<LearningState> {
  const state = await findLearningState(db, run, step - 1);
  if (state === null) throw new Error(`step ${step - 1} of run "${run}" has not learned yet`);
  return state;
}

/** Stores the state after step `state.curriculum.version`; a stored one stays. */
export async function insertLearningState(
  db: Database,
  run: string,
  { curriculum, activation }: LearningState,
): Promise<void> {
  const { version, mastery, weights } = curriculum;
  await db
    .insert(curriculumVersions)
    .values({
      run,
      version,
      masteryFormat: mastery.format,
      masteryName: mastery.name,
      masteryKey: mastery.key,
      masteryValue: mastery.value,
      weightFormat: weights.format,
      weightName: weights.name,
      weightKey: weights.key,
      weightValue: weights.value,
      ...activation,
    })
    .onConflictDoNothing();
}
