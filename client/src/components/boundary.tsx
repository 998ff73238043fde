import { Component, type ReactNode } from 'react';

type Props = { what: string; children: ReactNode };

/** Shows a sentence and ways to go on in the place of what cannot be shown: an error there blanks nothing else. React logs it. */
export class Boundary extends Component<Props> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <section className="failed" role="alert">
        <p>
          {this.props.what} cannot be shown: something went wrong in this page. What was sent is sent, and what was
          typed is kept.
        </p>
        <p>
          <button type="button" onClick={() => this.setState({ failed: false })}>
            Show it again
          </button>{' '}
          <a href="/">Load the blog anew</a>
        </p>
      </section>
    );
  }
}
