import { lastRequest, type ChatMessage } from '../../../contracts/sample.ts';

/** A task: what its user asked for last, the whole prompt on demand, and what is expected. Text, never markup. */
export function Task(props: {
  readonly messages: readonly ChatMessage[];
  readonly groundTruth: string;
}) {
  const { messages, groundTruth } = props;
  return (
    <div class="task">
      <div>
        <h3>Request</h3>
        <pre class="text">{lastRequest(messages)}</pre>
        <details>
          <summary>The whole prompt ({messages.length} messages)</summary>
          {messages.map(({ role, content }, index) => (
            <div key={index}>
              <h4>{role}</h4>
              <pre class="text">{content}</pre>
            </div>
          ))}
        </details>
      </div>
      <div>
        <h3>Ground truth</h3>
        <pre class="text">{groundTruth}</pre>
      </div>
    </div>
  );
}
