import type { ComparedCall, ComparedParameter } from '../../../contracts/dashboard.ts';

/** The calls of the ground truth beside those of a completion: name by name, key by key, value by value. */
export function ComparedCalls({ calls }: { readonly calls: readonly ComparedCall[] | null }) {
  if (calls === null)
    return <p class="note wrong">✕ The calls of this completion could not be read.</p>;
  if (calls.length === 0) return <p class="note">No call is wanted, and none was made.</p>;
  return (
    <div class="scroll">
      <table class="compared">
        <thead>
          <tr>
            <th />
            <th>name or key</th>
            <th>wanted</th>
            <th>given</th>
          </tr>
        </thead>
        {calls.map((call, index) => (
          <tbody key={index}>
            <CallRow call={call} />
            {call.parameters.map((parameter) => (
              <ParameterRow key={parameter.key} call={call} parameter={parameter} />
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function CallRow({ call: { wanted, given } }: { readonly call: ComparedCall }) {
  const right = wanted !== null && wanted === given;
  return (
    <tr class={`call ${right ? 'right' : 'wrong'}`}>
      <td>
        <Sign right={right} />
      </td>
      <td>call</td>
      <td>{wanted === null ? <None text="no such call" /> : <code>{wanted}</code>}</td>
      <td>{given === null ? <None text="missing" /> : <code>{given}</code>}</td>
    </tr>
  );
}

function ParameterRow(props: {
  readonly call: ComparedCall;
  readonly parameter: ComparedParameter;
}) {
  const { key, wanted, given, right } = props.parameter;
  return (
    <tr class={right ? 'right' : 'wrong'}>
      <td>
        <Sign right={right} />
      </td>
      <td class="key">
        <code>{key}</code>
      </td>
      <td>{wanted === null ? <None text="no such key" /> : <code>{wanted}</code>}</td>
      <td>
        {given === null ? <None text={right ? 'left out' : 'missing'} /> : <code>{given}</code>}
      </td>
    </tr>
  );
}

function Sign({ right }: { readonly right: boolean }) {
  return (
    <span class="sign" role="img" aria-label={right ? 'right' : 'wrong'}>
      {right ? '✓' : '✕'}
    </span>
  );
}

function None({ text }: { readonly text: string }) {
  return <span class="none">{text}</span>;
}
