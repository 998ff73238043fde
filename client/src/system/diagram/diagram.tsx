import { type ReactNode, useEffect, useRef } from 'react';
import { perSecond } from '../format.tsx';
import { lagText } from '../subscribers/samples.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';
import { type Member, membersOf } from './members.ts';
import { Node } from './node.tsx';
import { PartsTable } from './parts-table.tsx';
import { quorumOf, quorumTexts } from './quorum.ts';
import { LOOKS, showTraffic } from './traffic.ts';
import './diagram.css';

/** The diagram of all parts, the events that travel between them and each subscription's lag; and the same as a table. */
export function Diagram() {
  const store = useSystemStore();
  const picture = useRef<HTMLDivElement>(null);
  useEffect(() => showTraffic(store, picture.current as HTMLElement), [store]);
  const state = useSystemState();
  const members = membersOf(state);
  const quorum = quorumOf(state.parts);
  const at = (place: Member['place']) => members.filter((member) => member.place === place);
  const [client, eventBus] = at('pillar').map((member) => <Node key={member.name} member={member} />);
  const rows = (place: Member['place']) => at(place).map((member) => <Row key={member.name} member={member} />);
  return (
    <section className="diagram card stack" aria-labelledby="diagram" data-bus={state.bus}>
      <h3 id="diagram">How events travel</h3>
      <div className="picture" ref={picture}>
        {client}
        <div className="requested">{rows('requested')}</div>
        <div className="subscribed">{rows('subscribed')}</div>
        {eventBus}
      </div>
      <ul className="wrap quiet" aria-label="Types of event">
        {Object.entries(LOOKS).map(([type, { shape, color }]) => (
          <li key={type}>
            <span aria-hidden="true" style={{ color }}>
              {shape}
            </span>{' '}
            {type}
          </li>
        ))}
      </ul>
      {quorum &&
        quorumTexts(quorum).map((text) => (
          <p className="quiet" key={text}>
            {text}
          </p>
        ))}
      <PartsTable members={members} />
    </section>
  );
}

/** A node with its lanes to the client and the bus. */
function Row({ member }: { member: Member }) {
  const { name, place, tone, publishing, taking } = member;
  const own = tone === 'bad' ? 'away' : 'live';
  return (
    <div className="member">
      {place === 'requested' && <Lane kind="request" state={own} />}
      <Node member={member} />
      <div className="lanes">
        {publishing !== undefined && (
          <Lane kind="publish" state={own} name={`from ${name}`}>
            {perSecond(publishing)}
          </Lane>
        )}
        {taking && (
          <Lane kind="deliver" state={taking.state} name={`to ${name}`}>
            {perSecond(taking.rate)} <span data-late={taking.lag.events > 0}>{lagText(taking.lag)}</span>
          </Lane>
        )}
      </div>
    </div>
  );
}

type LaneProps = { kind: 'request' | 'publish' | 'deliver'; state: string; name?: string; children?: ReactNode };

/** An arrow with a label, and with its state unless it is healthy. Its dots are drawn by traffic.ts. */
function Lane({ kind, state, name, children }: LaneProps) {
  return (
    <div className="lane" data-kind={kind} data-state={state} aria-hidden="true">
      <div className="track">
        {state !== 'live' && state !== 'away' && <b>{state}</b>}
        <span data-lane={name} />
      </div>
      {children && <p>{children}</p>}
    </div>
  );
}
