import { ageText, nameText, perSecond } from '../format.tsx';
import type { Member } from './members.ts';

const COLUMNS = ['Part', 'State', 'Publishes', 'Delivery', 'Takes', 'Lag', 'Position'];

/** The diagram's content as a table, with exact numbers. */
export function PartsTable({ members }: { members: Member[] }) {
  return (
    <details className="parts">
      <summary>As a table</summary>
      <table>
        <thead>
          <tr>
            {COLUMNS.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {members.map((member) => (
            <tr key={member.name}>
              <th scope="row">{nameText(member.name, member.copies)}</th>
              <td>
                {member.word}
                {member.reasons.map((reason) => (
                  <p className="quiet" key={reason}>
                    {reason}
                  </p>
                ))}
              </td>
              {figuresOf(member).map((figure, column) => (
                <td key={COLUMNS[column + 2]}>{figure ?? '–'}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function figuresOf({ publishing, taking }: Member): (string | undefined)[] {
  const publishes = publishing === undefined ? undefined : perSecond(publishing);
  if (!taking) return [publishes, undefined, undefined, undefined, undefined];
  const { state, rate, lag, position } = taking;
  const age = lag.seconds ? `, ${ageText(lag.seconds)}` : '';
  return [publishes, state, perSecond(rate), `${lag.events.toLocaleString()}${age}`, position.toLocaleString()];
}
