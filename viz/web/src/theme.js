// Colours of the picture, light and dark; scales of values come with the data.
export const THEMES = {
  light: {
    ground: "#efece5", plate: "#dfdacd", green: "#cfdcbd", water: "#a9c8da", road: "#cdc7bb", marking: "#ffffff",
    roof: "#fdfbf7", wall: "#d9d3c8", tile: "#dcc3b2", edge: "#b3aa9a", mark: "#0072b2", tree: "#93ad78",
    trunk: "#8a7a66", shadow: 0.2, moving: "#ffffff", standing: "#15181f", body: "#3a3f4b",
    rim: "#10131a", casing: "#ffffff", dots: "#10131a",
  },
  dark: {
    ground: "#15181e", plate: "#232832", green: "#1d2a22", water: "#16303f", road: "#2b303a", marking: "#5a6170",
    roof: "#4a515f", wall: "#363c48", tile: "#5d4f4c", edge: "#667086", mark: "#56b4e9", tree: "#31493a",
    trunk: "#3b3730", shadow: 0.42, moving: "#ffffff", standing: "#08090b", body: "#aeb6c6",
    rim: "#08090b", casing: "#ffffff", dots: "#868e9e",
  },
};
export const LIGHTS_OFF = 3; // of the lights red, yellow, green, none
