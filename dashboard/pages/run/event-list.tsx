import type { RunEvent } from '../../../contracts/dashboard.ts';
import { moment } from '../../model/number-text.ts';
import type { RunMark } from '../../model/run-marks.ts';
import { CsvButton, Section } from '../parts.tsx';

/** What happened to the run: first what the pictures mark, then everything that was recorded. */
export function EventList(props: {
  readonly run: string;
  readonly events: readonly RunEvent[];
  readonly marks: readonly RunMark[];
}) {
  const { run, events, marks } = props;
  return (
    <Section title="What happened?">
      <div class="details-head">
        <CsvButton
          name={`${run}-events`}
          of="What happened?"
          rows={() => events.map((event) => ({ ...event }))}
        />
      </div>
      {marks.length > 0 && (
        <table class="events">
          <thead>
            <tr>
              <th class="number">mark</th>
              <th class="number">after step</th>
              <th>when</th>
              <th>what</th>
            </tr>
          </thead>
          <tbody>
            {marks.map((mark) => (
              <tr key={mark.number}>
                <td class="number">
                  <span class={`mark mark-${mark.kind}`}>{mark.number}</span>
                </td>
                <td class="number">{mark.step}</td>
                <td class="when">{mark.at === null ? '' : moment(mark.at)}</td>
                <td>{mark.text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <details>
        <summary>Everything that was recorded ({events.length})</summary>
        <table class="events">
          <tbody>
            {events.map(({ at, kind, message }, index) => (
              <tr key={index}>
                <td class="when">{moment(at)}</td>
                <td>{kind}</td>
                <td>{message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </Section>
  );
}
