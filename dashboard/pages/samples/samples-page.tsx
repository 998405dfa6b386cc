import { useState } from 'preact/hooks';
import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import {
  REPORT_SAMPLES,
  SAMPLE_ORDERS,
  type SampleHistories,
  type SampleHistory,
  type SampleOrder,
} from '../../../contracts/dashboard.ts';
import { fixed, whole } from '../../model/number-text.ts';
import { canShowMore, sorted, visitRows } from '../../model/sample-order.ts';
import { HeatLegend, HeatStrip } from '../charts/heat-strip.tsx';
import { Bar, CategoryChip, CsvButton, Problem, Waiting } from '../parts.tsx';
import { hrefOf } from '../../model/route.ts';
import { useSource } from '../shell/source.ts';
import { useAnswer } from '../shell/use-answer.ts';

const ORDER_NAMES: { readonly [order in SampleOrder]: string } = {
  importance: 'most important first',
  reward: 'lowest reward first',
  visits: 'most visited first',
  recent: 'last visited first',
  id: 'by id',
};
const PAGE = 100;
/** Pixels that the visits of a sample may take, and a cell at most and at least. */
const STRIP_WIDTH = 560;
const LARGEST_CELL = 14;
const SMALLEST_CELL = 3;

/** Samples by visits, coloured by reward: what the sampler came back to, and what became of it. */
export function SamplesPage({ run }: { readonly run: string }) {
  const { report } = useSource();
  const [order, setOrder] = useState<SampleOrder>('importance');
  const [limit, setLimit] = useState(PAGE);
  const path =
    report === null
      ? DASHBOARD_PATHS.samples(run, order, limit)
      : DASHBOARD_PATHS.samples(run, 'importance', REPORT_SAMPLES);
  const { value, problem } = useLastKnown(path, run);
  if (value === undefined) return <Waiting problem={problem} />;
  const samples = sorted(value.samples, order).slice(0, limit);
  const most = Math.max(1, ...samples.map(({ steps }) => steps.length));
  const longest = Math.max(0, ...samples.map(({ visits }) => visits));
  const cell = Math.min(LARGEST_CELL, Math.max(SMALLEST_CELL, Math.floor(STRIP_WIDTH / most)));
  const known = report === null ? value.visited : value.samples.length;
  return (
    <>
      <Problem problem={problem} />
      <div class="page-head">
        <h1>
          Samples <span class="muted">of {run}</span>
        </h1>
        <span class="tools">
          <label>
            order{' '}
            <select
              value={order}
              onChange={(event) => {
                const chosen = SAMPLE_ORDERS.find((each) => each === event.currentTarget.value);
                if (chosen !== undefined) setOrder(chosen);
              }}
            >
              {SAMPLE_ORDERS.map((each) => (
                <option key={each} value={each}>
                  {ORDER_NAMES[each]}
                </option>
              ))}
            </select>
          </label>
          <CsvButton
            name={`${run}-samples`}
            of="Samples"
            rows={() => samples.flatMap((sample) => visitRows(sample))}
          />
        </span>
      </div>
      <p class="note">
        {whole(value.visited)} of {whole(value.corpusSamples)} samples were visited,{' '}
        {samples.length} are shown. Each cell is a visit, the latest on the right
        {longest > most ? `, the last ${most}` : ''}. <HeatLegend />
      </p>
      <div class="scroll">
        <table class="samples">
          <thead>
            <tr>
              <th>sample</th>
              <th class="number level">level</th>
              <th>category</th>
              <th class="number importance">importance</th>
              <th class="number visits">visits</th>
              <th class="number">reward</th>
              <th>visits by reward</th>
            </tr>
          </thead>
          <tbody>
            {samples.map((sample) => (
              <SampleRow key={sample.sampleId} run={run} sample={sample} cell={cell} />
            ))}
          </tbody>
        </table>
      </div>
      {canShowMore(limit, known) && (
        <p>
          <button
            type="button"
            class="button"
            onClick={() => {
              setLimit(limit + 2 * PAGE);
            }}
          >
            Show more
          </button>
        </p>
      )}
    </>
  );
}

function SampleRow(props: {
  readonly run: string;
  readonly sample: SampleHistory;
  readonly cell: number;
}) {
  const { run, sample, cell } = props;
  return (
    <tr>
      <td class="name">
        <a href={hrefOf({ page: 'sample', run, sample: sample.sampleId })}>{sample.sampleId}</a>
      </td>
      <td class="number level">{sample.level ?? '–'}</td>
      <td>
        <CategoryChip category={sample.category} />
      </td>
      <td class="number importance">
        <Bar share={sample.importance} label="importance" /> {fixed(sample.importance, 2)}
      </td>
      <td class="number visits">{sample.visits}</td>
      <td class="number">{fixed(sample.rewards.at(-1), 2)}</td>
      <td>
        <HeatStrip sample={sample} cell={cell} />
      </td>
    </tr>
  );
}

/** The answer at a path; the one before, while that is on its way, so that another order does not empty the page. */
function useLastKnown(path: string, run: string) {
  const answer = useAnswer<SampleHistories>(path, run);
  const [before, setBefore] = useState<SampleHistories | undefined>(undefined);
  if (answer.value !== undefined && answer.value !== before) setBefore(answer.value);
  return { value: answer.value ?? before, problem: answer.problem };
}
