import type { ModelTraits } from '../models/model-traits.ts';
import { cacheSeconds, copySeconds, weightSeconds } from './generation-costs.ts';
import type { MatrixPlace } from './matrices.ts';
import { fits, type Budget, type GroupDemand, type PromptGroup } from './prompt-groups.ts';

/** What a prefill costs besides its tokens, in readings of the weights. */
const PREFILL_RUNS = 2;

export interface AdmissionOptions {
  readonly traits: ModelTraits;
  /** Where decoding's matrices are. */
  readonly place: MatrixPlace;
  /** In the order in which they begin. */
  readonly groups: readonly PromptGroup[];
  readonly budget: Budget;
}

/** Which groups of a request have begun: those before `next`. */
export interface Admission extends AdmissionOptions {
  next: number;
  /** Rows under way when groups were last admitted. */
  full: number;
  /** Seconds that waiting has cost since then. */
  lost: number;
}

export function createAdmission(options: AdmissionOptions): Admission {
  return { ...options, next: 0, full: 0, lost: 0 };
}

/**
 * Numbers of the groups that begin now, as many as the budget takes; none while letting them wait has cost less than letting
 * them in would. A function of the request and of how long its completions become.
 * @param cacheTokens tokens whose keys and values are copied when groups join.
 */
export function admit(admission: Admission, cacheTokens: number): number[] {
  const { traits, place, groups, budget } = admission;
  if (admission.next === groups.length) return [];
  const under = groups
    .slice(0, admission.next)
    .map(demand)
    .filter((group) => group.rows > 0);
  const cost = copySeconds(traits, cacheTokens) + PREFILL_RUNS * weightSeconds(traits, place);
  if (under.length > 0 && admission.lost < cost) return [];
  const admitted: number[] = [];
  while (admission.next < groups.length) {
    const group = demand(groups[admission.next]!);
    if (under.length > 0 && !fits(traits, [...under, group], budget)) break;
    under.push(group);
    admitted.push(admission.next++);
  }
  if (admitted.length > 0) {
    admission.full = under.reduce((sum, { rows }) => sum + rows, 0);
    admission.lost = 0;
  }
  return admitted;
}

/**
 * Counts what a step costs because groups wait: the weights are read for fewer rows than might be under way. On the other hand, rows
 * that join early look at as many masked positions as the longest row has tokens.
 * @param open rows that go on. @param longest own tokens of the longest of them.
 */
export function countStep(admission: Admission, open: number, longest: number): void {
  const { traits, place, groups, next, full } = admission;
  const waiting = groups.slice(next).reduce((sum, { rows }) => sum + rows.length, 0);
  const joining = Math.min(waiting, Math.max(0, full - open));
  const idle = joining / Math.max(1, open + joining);
  const gain = idle * weightSeconds(traits, place);
  admission.lost += Math.max(0, gain - cacheSeconds(traits, joining * longest));
}

/** What a group still needs. */
function demand({ ids, rows }: PromptGroup): GroupDemand {
  const open = rows.filter((row) => !row.finished);
  return { promptLength: ids.length, rows: open.length, limit: open[0]?.limit ?? 0 };
}
