import type { ToolsampleClient } from '../client.ts';
import { lastRequest } from '../contracts/sample.ts';
import type { Example } from './render/outcome.ts';

type Answers = Awaited<ReturnType<ToolsampleClient['evaluationAnswers']>>;

/**
 * A held-out task that shows what training changed: wrong before and right after if there is one, else the largest gain in
 * reward; the shortest request first, then by id. Null when no task gained.
 */
export function chooseExample(split: string, before: Answers, after: Answers): Example | null {
  const later = new Map(after.map((answer) => [answer.sample.id, answer]));
  const gained = before.flatMap((was) => {
    const is = later.get(was.sample.id);
    return is === undefined || is.reward <= was.reward ? [] : [{ was, is }];
  });
  const turned = gained.filter(({ was, is }) => is.exactMatch && !was.exactMatch);
  const [chosen] = (turned.length > 0 ? turned : gained).sort(
    (a, b) =>
      (turned.length > 0 ? 0 : b.is.reward - b.was.reward - (a.is.reward - a.was.reward)) ||
      lastRequest(a.is.sample.messages).length - lastRequest(b.is.sample.messages).length ||
      (a.is.sample.id < b.is.sample.id ? -1 : 1),
  );
  if (chosen === undefined) return null;
  const { was, is } = chosen;
  return {
    sampleId: is.sample.id,
    split,
    request: lastRequest(is.sample.messages),
    expected: is.sample.groundTruth,
    before: was,
    after: is,
  };
}
