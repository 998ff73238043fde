import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { perSecond } from '../format.tsx';
import { lagText } from '../subscribers/samples.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';
import { Lane } from './diagram-lane.tsx';
import { Node } from './diagram-node.tsx';
import { type Layout, layOut } from './layout.ts';
import { type Member, membersOf, OTHERS, partHealth } from './members.ts';
import { PartsTable } from './parts-table.tsx';
import { createPublishing } from './publishing.ts';
import { showTraffic } from './traffic.ts';
import './diagram.css';

const TYPES = ['PostCreated', 'CommentCreated', 'CommentModerated', 'CommentUpdated', 'another type'];
/** Lanes shorter than this get their labels on two lines. */
const ONE_LINE = 130;

/**
 * The diagram of all parts, the events that travel between them and each subscription's lag; and the same as a table.
 */
export function Diagram() {
  const store = useSystemStore();
  const state = useSystemState();
  const frame = useRef<HTMLDivElement>(null);
  const dots = useRef<HTMLDivElement>(null);
  const [publishing] = useState(createPublishing);
  const available = useWidth(frame);
  const members = membersOf(state, publishing);
  const layout = layOut(members, available);
  const drawn = useRef(layout);
  useLayoutEffect(() => {
    drawn.current = layout;
  });

  useEffect(() => {
    const end = store.onEvents((entries) => publishing.add(performance.now(), entries));
    const place = (name: string) => drawn.current.places.get(name);
    const endTraffic = showTraffic(store, dots.current as HTMLElement, {
      publish: (source) => (place(source) ?? place(OTHERS))?.publish,
      deliver: (name) => place(name)?.deliver,
    });
    return () => {
      end();
      endTraffic();
    };
  }, [store, publishing]);

  const { width, height } = layout;
  const bus = partHealth(state, 'event-bus');
  const client = partHealth(state, 'client');
  return (
    <section className="diagram" aria-labelledby="diagram" data-bus={state.bus}>
      <h3 id="diagram">How events travel</h3>
      <div className="diagram-frame" ref={frame}>
        <div className="diagram-drawing" style={{ width, height }} data-narrow={layout.narrow}>
          <svg width={width} height={height} aria-hidden="true">
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
              <path d="M0 0.5 8 4 0 7.5z" />
            </marker>
            {members.map((member) => (
              <Lanes key={member.name} member={member} layout={layout} />
            ))}
          </svg>
          <Node
            name="client"
            box={layout.client}
            health={client}
            details={['The page and the gateway, the single way in.']}
            upright
          />
          {members.map((member) => {
            const box = layout.places.get(member.name)?.box;
            const end = box && box.x > width / 2;
            return box && <Node key={member.name} {...member} box={box} details={detailsOf(member)} end={end} />;
          })}
          <Node
            name="event-bus"
            box={layout.bus}
            health={state.bus === 'away' && bus.tone !== 'bad' ? { ...bus, word: 'away', tone: 'bad' } : bus}
            details={
              state.head > 0 ? [`The newest event in its log is at position ${state.head.toLocaleString()}.`] : []
            }
            upright
            end={layout.narrow}
          />
          <div className="dots" ref={dots} aria-hidden="true" />
        </div>
      </div>
      <ul className="legend" aria-label="Types of event">
        {TYPES.map((type) => (
          <li key={type}>
            <span className="dot" data-type={type} aria-hidden="true" /> {type}
          </li>
        ))}
      </ul>
      <PartsTable members={members} bus={bus} client={client} />
    </section>
  );
}

function Lanes({ member: { name, health, publishing, taking }, layout }: { member: Member; layout: Layout }) {
  const { request, publish, deliver } = layout.places.get(name) ?? {};
  const isAway = health.tone === 'bad';
  const inOneLine = deliver && Math.abs(deliver.to.x - deliver.from.x) >= ONE_LINE;
  const strong = taking && taking.lag.events > 0;
  const lag = { text: lagText(taking?.lag ?? { events: 0, seconds: 0 }), strong };
  const rate = perSecond(taking?.rate ?? 0);
  const below = inOneLine ? [{ text: `${rate}, ${lag.text}`, strong }] : [lag, { text: rate }];
  return (
    <>
      {request && <Lane line={request} kind="request" state={isAway ? 'away' : 'live'} />}
      {publish && (
        <Lane line={publish} kind="publish" state={isAway ? 'away' : 'live'} above={perSecond(publishing ?? 0)} />
      )}
      {deliver && taking && <Lane line={deliver} kind="deliver" state={deliveryOf(taking)} below={below} />}
    </>
  );
}

const deliveryOf = ({ subscription }: NonNullable<Member['taking']>): string =>
  subscription.replay ? 'replay' : subscription.state;

function detailsOf({ taking }: Member): string[] {
  if (!taking) return [];
  const { subscription, lag } = taking;
  return [`Delivery: ${deliveryOf(taking)}, at position ${subscription.position.toLocaleString()}, ${lagText(lag)}.`];
}

/** An element's width in CSS pixels. */
function useWidth(element: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(690);
  useLayoutEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 690)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
