/** Runs work one at a time, in the order of asking. */
export class Turns {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `work` when everything that was asked for before has ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  /** Resolves when everything that was asked for so far has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
