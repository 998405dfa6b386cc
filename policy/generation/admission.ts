import type { LlamaTraits } from '../models/llama-traits.ts';
import { cacheSeconds, weightSeconds } from './generation-costs.ts';
import { fits, type Budget, type CompletionRow, type PromptGroup } from './prompt-groups.ts';

/** The groups of a request: those before `next` have begun. */
export interface Admission {
  readonly traits: LlamaTraits;
  readonly groups: readonly PromptGroup[];
  readonly budget: Budget;
  next: number;
  /** Rows under way when groups were last admitted. */
  full: number;
  /** Seconds lost since then on slots without a row that goes on. */
  lost: number;
}

export function createAdmission(
  traits: LlamaTraits,
  groups: readonly PromptGroup[],
  budget: Budget,
): Admission {
  return { traits, groups, budget, next: 0, full: 0, lost: 0 };
}

export function openRows({ rows }: PromptGroup): CompletionRow[] {
  return rows.filter((row) => !row.finished);
}

/**
 * Numbers of the groups that begin now: none while that costs more than the gaps in the batch have cost, and else as many as the
 * budget takes. A function of the request and of how long its completions become.
 * @param cacheTokens tokens whose keys and values are copied when groups join.
 */
export function admit(admission: Admission, cacheTokens: number): number[] {
  const { traits, groups, budget } = admission;
  if (admission.next === groups.length) return [];
  const begun = groups
    .slice(0, admission.next)
    .map(demand)
    .filter(({ open }) => open > 0);
  const copying = 2 * cacheSeconds(traits, cacheTokens);
  if (begun.length > 0 && admission.lost < copying + weightSeconds(traits)) return [];
  const admitted: number[] = [];
  while (admission.next < groups.length) {
    const group = demand(groups[admission.next]!);
    if (begun.length > 0 && !fits(traits, [...begun, group], budget)) break;
    begun.push(group);
    admitted.push(admission.next++);
  }
  if (admitted.length > 0) {
    admission.full = begun.reduce((sum, { open }) => sum + open, 0);
    admission.lost = 0;
  }
  return admitted;
}

/**
 * Counts what a step loses: the weights are read for fewer rows than there is room for, and slots compute for rows that ended.
 * @param open rows that go on. @param excess seconds that the step takes longer than one laid out for these rows alone.
 */
export function countLoss(admission: Admission, open: number, excess: number): void {
  const idle = Math.max(0, 1 - open / admission.full);
  admission.lost += excess + idle * weightSeconds(admission.traits);
}

function demand(group: PromptGroup): { promptLength: number; open: number; limit: number } {
  const open = openRows(group);
  return {
    promptLength: group.ids.length,
    open: open.length,
    limit: open[0]?.limit ?? 0,
  };
}
