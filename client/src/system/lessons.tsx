import { useSystem } from './system-context.ts';

/** The limits of the lesson's bus that runs, and how to see them. */
export function LessonView() {
  // Ours may have taken its place since the page was loaded.
  const lesson = useSystem(({ lesson, bus }) => (bus === 'here' ? undefined : lesson));
  if (!lesson) return null;
  const { bus, step, title, cannot, tries } = lesson;
  if (step === undefined) {
    return (
      <p className="quiet">
        <WithCode text={`\`npm run grade -- --bus 'node ${bus}/bus.ts'\` says which guarantees this bus keeps.`} />
      </p>
    );
  }
  return (
    <section className="card stack" aria-labelledby="lesson">
      <h3 id="lesson">{`Lesson ${step}: ${title}`}</h3>
      {cannot && <p>{cannot}</p>}
      {tries && (
        <p>
          Try: <WithCode text={tries} />
        </p>
      )}
      {cannot && (
        <p className="quiet">
          <WithCode text={`The next step can: \`npm run lesson -- ${step + 1}\`.`} />
        </p>
      )}
    </section>
  );
}

/** The way from our bus to the lessons, for those who run it on their own machine. */
export function ToLessons() {
  const control = useSystem((state) => state.control);
  if (!control) return null;
  return (
    <p className="quiet">
      Break it: the ten experiments of <code>docs/experiments.md</code>. From ten lines to this bus, in eight steps:{' '}
      <code>npm run lesson</code>.
    </p>
  );
}

/** Text with code between backticks. */
const WithCode = ({ text }: { text: string }) =>
  // biome-ignore lint/suspicious/noArrayIndexKey: the text does not change
  text.split('`').map((part, index) => (index % 2 > 0 ? <code key={index}>{part}</code> : part));
