import { ageText, perSecond } from '../format.tsx';
import type { Health, Member } from './members.ts';

type Props = { members: Member[]; bus: Health; client: Health };

/** The diagram's content as a table, with exact numbers. */
export function PartsTable({ members, bus, client }: Props) {
  return (
    <details className="parts">
      <summary>As a table</summary>
      <div className="parts-scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Part</th>
              <th scope="col">State</th>
              <th scope="col">Publishes</th>
              <th scope="col">Delivery</th>
              <th scope="col">Takes</th>
              <th scope="col">Lag</th>
              <th scope="col">Position</th>
            </tr>
          </thead>
          <tbody>
            <Row name="client" health={client} />
            {members.map((member) => (
              <Row key={member.name} {...member} />
            ))}
            <Row name="event-bus" health={bus} />
          </tbody>
        </table>
      </div>
    </details>
  );
}

function Row({ name, health, publishing, taking }: Partial<Member> & { name: string; health: Health }) {
  const { subscription, lag, rate } = taking ?? {};
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>
        {health.word}
        {health.reasons.map((reason) => (
          <small key={reason}>{reason}</small>
        ))}
      </td>
      <td>{publishing === undefined ? '–' : perSecond(publishing)}</td>
      <td>{subscription ? (subscription.replay ? 'replay' : subscription.state) : '–'}</td>
      <td>{rate === undefined ? '–' : perSecond(rate)}</td>
      <td>{lag ? `${lag.events.toLocaleString()}${lag.seconds ? `, ${ageText(lag.seconds)}` : ''}` : '–'}</td>
      <td>{subscription ? subscription.position.toLocaleString() : '–'}</td>
    </tr>
  );
}
