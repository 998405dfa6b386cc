import { asc, eq } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { learningCurve as view } from './schema/views.ts';

/** One step of a run's learning curve; step 0 is the evaluation before training. */
export type CurvePoint = typeof view.$inferSelect;

/** Reward against steps and generated tokens, with the held-out evaluation where there was one. */
export async function learningCurve(db: Database, run: string): Promise<CurvePoint[]> {
  return db.select().from(view).where(eq(view.run, run)).orderBy(asc(view.step));
}
