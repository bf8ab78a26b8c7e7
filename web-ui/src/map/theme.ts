/** The ground's colours, light and dark: quiet, so that the marks speak. */
export interface Theme {
  dark: boolean;
  land: string;
  water: string;
  green: string;
  road: string;
  roadEdge: string;
  building: string;
  buildingEdge: string;
  district: string;
  districtEdge: string;
  label: string;
  labelQuiet: string;
  halo: string;
  markEdge: string;
  chosen: string;
}

export const light: Theme = {
  dark: false,
  land: '#f4f2ec',
  water: '#bcd7e4',
  green: '#d5e5ca',
  road: '#ffffff',
  roadEdge: '#d6d1c4',
  building: '#e2dccf',
  buildingEdge: '#cbc3b2',
  district: '#ebe8df',
  districtEdge: '#b5ab98',
  label: '#4c4a44',
  labelQuiet: '#77736a',
  halo: '#f8f7f3',
  markEdge: '#2c2a26',
  chosen: '#111111',
};

export const dark: Theme = {
  dark: true,
  land: '#1a1d21',
  water: '#1c3442',
  green: '#22332a',
  road: '#3a3f46',
  roadEdge: '#14171a',
  building: '#2b3037',
  buildingEdge: '#3c434b',
  district: '#20242a',
  districtEdge: '#545b64',
  label: '#cfd2d6',
  labelQuiet: '#959ba3',
  halo: '#171a1e',
  markEdge: '#0b0d0f',
  chosen: '#ffffff',
};
