/** How a step uses the samples that were drawn for it: places in the order of the draw, ascending. Others it leaves alone. */
export interface DividedDraw {
  /** Rolled out at first. */
  readonly first: readonly number[];
  /** Candidates to stand in for dropped groups. */
  readonly reserve: readonly number[];
}

/** The first ones at first, then all others as they come: a shuffle goes on through its epoch. */
export function divideShuffle(drawn: number, wanted: number): DividedDraw {
  const places = Array.from({ length: drawn }, (_, place) => place);
  return { first: places.slice(0, wanted), reserve: places.slice(wanted) };
}

/**
 * Of a draw by importance, samples without any (Ĩ = 0: mastered, or at a standstill) come only up to the uniform share, which is there to look
 * at them again. More of them are drawn merely because nothing else is left, and their groups would most likely be dropped: a step on fewer
 * groups teaches as much. Where no sample has importance, the draw is even: the first ones as they are. [ours]
 *
 * @param importances Ĩ of each sample, in the order of the draw
 * @param wanted groups of the first round
 * @param uniformShare ε
 */
export function divideDraw(
  importances: readonly number[],
  { wanted, uniformShare }: { readonly wanted: number; readonly uniformShare: number },
): DividedDraw {
  if (importances.every((importance) => importance === 0)) {
    return { first: divideShuffle(importances.length, wanted).first, reserve: [] };
  }
  let again = Math.ceil(uniformShare * wanted - 1e-9);
  const first: number[] = [];
  const reserve: number[] = [];
  for (const [place, importance] of importances.entries()) {
    if (first.length < wanted && (importance > 0 || again-- > 0)) first.push(place);
    else if (importance > 0) reserve.push(place);
  }
  return { first, reserve };
}
