/** Lines in columns, as low as can be, without tearing apart what belongs together. Pure. */

export interface Place {
  column: number;
  row: number;
}

/**
 * @param groups how many lines each group has
 * @returns for each group where its first line stands, and how many rows there are
 */
export function inColumns(groups: number[], columns: number): { places: Place[]; rows: number } {
  const all = groups.reduce((sum, lines) => sum + lines, 0);
  const least = Math.max(0, Math.ceil(all / columns), ...groups);
  for (let rows = least; ; rows++) {
    const places: Place[] = [];
    let [column, row] = [0, 0];
    for (const lines of groups) {
      if (row + lines > rows) [column, row] = [column + 1, 0];
      places.push({ column, row });
      row += lines;
    }
    // All of them one under the other always fit.
    if (column < columns || rows >= all) return { places, rows };
  }
}
