import { useState } from 'preact/hooks';
import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import type { RunOverview } from '../../../contracts/dashboard.ts';
import { extent } from '../../model/extent.ts';
import { brief, moment, percent, span } from '../../model/number-text.ts';
import { overviewRow } from '../../model/overview-row.ts';
import { SparkLine } from '../charts/spark-line.tsx';
import { Bar, CsvButton, Problem, StateChip, Waiting } from '../parts.tsx';
import { hrefOf } from '../../model/route.ts';
import { useAnswer } from '../shell/use-answer.ts';

/** All runs, newest first. */
export function RunsPage() {
  const { value: runs, problem } = useAnswer<readonly RunOverview[]>(DASHBOARD_PATHS.runs(), null);
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  if (runs === undefined) return <Waiting problem={problem} />;
  const rewards = runs.flatMap((run) => run.rewards.filter((reward) => reward !== null));
  const domain = extent(rewards, [0, 1]);
  const toggle = (run: string): void => {
    const next = new Set(chosen);
    if (!next.delete(run)) next.add(run);
    choose(next);
  };
  return (
    <>
      <Problem problem={problem} />
      <div class="page-head">
        <h1>Runs</h1>
        <span class="tools">
          {chosen.size > 0 && (
            <a class="button" href={hrefOf({ page: 'compare', runs: [...chosen] })}>
              Compare {chosen.size}
            </a>
          )}
          <CsvButton name="runs" of="Runs" rows={() => runs.map(overviewRow)} />
        </span>
      </div>
      {runs.length === 0 ? (
        <p class="waiting">
          No runs yet. <code>toolsample train</code> starts one; it appears here by itself.
        </p>
      ) : (
        <table class="runs">
          <thead>
            <tr>
              <th aria-label="choose for comparing" />
              <th>run</th>
              <th>state</th>
              <th>reward</th>
              <th>progress</th>
              <th class="number">left</th>
              <th class="number">exact match, held out</th>
              <th class="number">tokens</th>
              <th>sampler</th>
              <th class="number">seed</th>
              <th>started</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <RunRow
                key={run.run}
                run={run}
                domain={domain}
                chosen={chosen.has(run.run)}
                toggle={() => {
                  toggle(run.run);
                }}
              />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function RunRow(props: {
  readonly run: RunOverview;
  readonly domain: readonly [number, number];
  readonly chosen: boolean;
  readonly toggle: () => void;
}) {
  const { run, domain, chosen, toggle } = props;
  const last = run.rewards.findLast((reward) => reward !== null) ?? null;
  return (
    <tr>
      <td class="choose">
        <input
          type="checkbox"
          checked={chosen}
          onChange={toggle}
          aria-label={`choose ${run.run} for comparing`}
        />
      </td>
      <td class="name">
        <a href={hrefOf({ page: 'run', run: run.run })}>{run.run}</a>
      </td>
      <td class="state">
        <StateChip run={run} />
        {run.reason !== null && <span class="reason"> {run.reason}</span>}
      </td>
      <td class="curve">
        <SparkLine
          values={run.rewards}
          domain={domain}
          label={last === null ? 'no step yet' : `reward, lately ${last.toFixed(2)}`}
        />
      </td>
      <td class="progress">
        <Bar share={run.totalSteps === 0 ? 0 : run.step / run.totalSteps} label="steps made" />
        <span class="steps">
          {run.step}/{run.totalSteps}
        </span>
      </td>
      <td class={`number left ${run.secondsLeft === null ? 'none' : ''}`} data-label="left">
        {span(run.secondsLeft)}
      </td>
      <td class="number exact" data-label="exact match">
        {run.heldOut === null ? (
          '–'
        ) : (
          <>
            {percent(run.heldOut.first)} → <strong>{percent(run.heldOut.last)}</strong>{' '}
            <span class="muted">
              [{percent(run.heldOut.lastLow)}, {percent(run.heldOut.lastHigh)}]
            </span>
          </>
        )}
      </td>
      <td class="number" data-label="tokens">
        {brief(run.generatedTokens)}
      </td>
      <td data-label="sampler">
        {run.sampler}
        {run.curriculum === 'none' ? '' : ` · ${run.curriculum}`}
      </td>
      <td class="number" data-label="seed">
        {run.seed}
      </td>
      <td class="when" data-label="started">
        {moment(run.startedAt)}
      </td>
    </tr>
  );
}
