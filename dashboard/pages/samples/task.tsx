import type { ShownTask } from '../../../contracts/dashboard.ts';
import { lastRequest } from '../../../contracts/sample.ts';
import { counted } from '../../model/number-text.ts';

/** A task: what its user asked for last, the whole prompt on demand, and what is expected. Text, never markup. */
export function Task({ task }: { readonly task: ShownTask }) {
  const { messages, tools, groundTruth } = task;
  return (
    <div class="task">
      <div>
        <h3>Request</h3>
        <pre class="text">{lastRequest(messages)}</pre>
        <details>
          <summary>
            The whole prompt ({tools.length > 0 && `${counted(tools.length, 'tool')}, `}
            {counted(messages.length, 'message')})
          </summary>
          {tools.map(({ name, description, parameters }, index) => (
            <div key={index}>
              <h4>tool on offer: {name}</h4>
              {description !== '' && <pre class="text">{description}</pre>}
              <pre class="text">{parameters}</pre>
            </div>
          ))}
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
