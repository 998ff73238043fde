import { Component, type ReactNode } from 'react';

type Props = { what: string; children: ReactNode };

/**
 * An error boundary: shows a sentence and a way on instead of a component that threw or could not be loaded, so the rest
 * of the page stays. React logs the error.
 */
export class Boundary extends Component<Props> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <section className="state stack" role="alert">
        <p>
          {this.props.what} cannot be shown because of an error, or because the blog was updated after you had opened
          it. Nothing that was sent or typed is lost.
        </p>
        <p>
          <button type="button" onClick={() => this.setState({ failed: false })}>
            Show it again
          </button>{' '}
          <button type="button" onClick={() => window.location.reload()}>
            Reload the page
          </button>
        </p>
      </section>
    );
  }
}
