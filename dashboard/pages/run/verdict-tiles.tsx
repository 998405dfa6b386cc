import type { ComponentChildren } from 'preact';
import type { RunDetail, StepPoint } from '../../../contracts/dashboard.ts';
import { fixed, percent, signed, whole } from '../../model/number-text.ts';
import { RECENT_STEPS, verdict, type Verdict } from '../../model/verdict.ts';
import { hrefOf } from '../../model/route.ts';

/** Four answers for whoever looks for ten seconds. */
export function VerdictTiles(props: {
  readonly detail: RunDetail;
  readonly steps: readonly StepPoint[];
}) {
  const { detail } = props;
  const { heldOut, learning, reward, stuck, teaching, zeroVariance } = verdict(detail, props.steps);
  return (
    <div class="tiles">
      <Tile question="Does it learn?" answer={LEARNING[learning ?? 'unknown']}>
        {heldOut === null ? (
          learning === 'unmeasured' ? (
            NOTHING_HELD_OUT
          ) : (
            'No evaluation yet.'
          )
        ) : (
          <>
            exact match on {heldOut.last.split} {percent(heldOut.first.exactMatch)} →{' '}
            <strong>{percent(heldOut.last.exactMatch)}</strong> [
            {percent(heldOut.last.exactMatchLow)}, {percent(heldOut.last.exactMatchHigh)}], n ={' '}
            {heldOut.last.n}, after step {heldOut.last.step}
          </>
        )}
      </Tile>
      <Tile question="What does it get?" answer={fixed(reward?.now, 2)}>
        {reward === null
          ? 'No step yet.'
          : `mean reward of the last ${Math.min(RECENT_STEPS, props.steps.length)} steps${
              reward.before === null
                ? ''
                : `, ${signed(reward.now - reward.before, 2)} against as many before`
            }`}
      </Tile>
      <Tile
        question="What is it stuck on?"
        answer={stuck === null ? '–' : `${TASKS[stuck.task]} ${fixed(stuck.mastery, 2)}`}
      >
        {stuck === null ? (
          'No evidence yet.'
        ) : (
          <>
            the lowest mastery of the four
            {stuck.change === null ? '' : `, ${signed(stuck.change, 2)} in ${RECENT_STEPS} steps`};
            its weight is {fixed(stuck.weight, 2)}
          </>
        )}
      </Tile>
      <Tile
        question="What still teaches?"
        answer={`${whole(teaching.samples)} of ${whole(teaching.of)}`}
      >
        <a href={hrefOf({ page: 'samples', run: detail.overview.run })}>samples</a> are new, active
        or hard and alive; {percent(zeroVariance, 0)} of the groups lately had no variance
      </Tile>
    </div>
  );
}

const LEARNING: { readonly [verdict in NonNullable<Verdict['learning']> | 'unknown']: string } = {
  better: '▲ yes',
  worse: '▼ it got worse',
  unclear: '≈ not clear yet',
  unmeasured: '– not measured',
  unknown: '– too early',
};

const NOTHING_HELD_OUT = 'No samples are held out; another run can have some with --eval-data.';

const TASKS = { format: 'format', name: 'names', key: 'keys', value: 'values' } as const;

function Tile(props: {
  readonly question: string;
  readonly answer: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="tile">
      <h2>{props.question}</h2>
      <p class="answer">{props.answer}</p>
      <p class="why">{props.children}</p>
    </section>
  );
}
