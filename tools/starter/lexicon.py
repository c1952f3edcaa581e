# SPDX-License-Identifier: GPL-3.0-or-later
"""Words about surfaces that must be whole entries of the word table, also those no training caption holds."""

_MATERIALS = """
adobe alabaster aluminium aluminum amber amethyst ash asphalt bamboo bark basalt bedrock birch bitumen bone boulder boulders
brass brick bricks brickwork bronze burlap cable cactus canvas carbon cardboard carpet cashmere cedar cement ceramic ceramics
chalk chainmail chain charcoal cherry chip chipboard chrome cinder clay cloth clover coal cobble cobbles cobblestone cobblestones coconut
concrete copper coral cork corduroy cotton crystal crystals denim diamond dirt drywall dune dunes earth ebony elm emerald
enamel fabric feather feathers felt fern fiber fibre fibreglass fiberglass fibers fieldstone fir flagstone flagstones flannel flax fleece flint flower flowers
foam foil foliage fossil freckles frost fur gem glass glaze gneiss gold granite granules grass gravel ground grout gypsum hay hemp hessian hide honeycomb
hull ice icicle iron ivory ivy jade jute kevlar knit knitwear lace lacquer lattice laurel lava lawn lead leather leaves leaf lichen limestone
linen linoleum loam log logs magma mahogany maple marble masonry mat mesh metal mica mildew mold mortar mosaic moss moss mould mud
mulch nacre needles nettle nickel nylon oak obsidian oilcloth onyx opal pavement pavers paving paint paper papyrus parchment parquet
parquetry pearl peat pebble pebbles petals pewter pine plank planks plaid plaster plastic platinum plywood poplar porcelain pumice putty quartz quartzite
rattan reed reeds resin rhinestone rock rocks rope rosewood rubber rubble ruby rug rust sand sandstone sapphire satin sawdust scale scales
schist seaweed sequoia shale shell shingle shingles silicon silk silt silver skin slab slabs slate snow sod soil spruce stainless steel stone stones
stonework straw stucco styrofoam suede sugar tar tarmac tarp tartan teak terracotta terrazzo terrycloth textile thatch thread tile tiles timber
timbers tin titanium towel travertine tree trunk turf turquoise tweed tuff twill twig twigs varnish vellum velour velvet vine vines vinyl
wall wallpaper walnut water wax weave wicker willow wire wood woods wool yarn zinc chitin coir sisal raffia serpentine malachite
lapis lazuli verdigris patina macadam hardwood softwood lumber driftwood bedrock regolith scree cobbled ashlar rubblework
"""
_COLOURS = """
amaranth amber apricot aqua aquamarine ash auburn avocado azure beige black blond blonde blue blueish bluish blush bone bordeaux brown brownish
buff burgundy canary caramel carmine celadon cerulean champagne charcoal chartreuse cherry chestnut chocolate cinnabar cinnamon cobalt coffee
copper coral cream creamy crimson cyan dun ebony ecru eggplant emerald fawn fuchsia gold golden gray grayish green greenish grey greyish
hazel indigo ivory jade jet khaki lavender lemon lilac lime magenta mahogany maroon mauve mint mocha mustard navy ocher ochre
olive orange orchid peach pea periwinkle pink pinkish pistachio plum purple purplish raspberry red reddish rose ruby russet rusty saffron
sage salmon sand sandy sapphire scarlet seafoam sepia sienna silver silvery sky slate snowy steel straw tan tangerine taupe tawny teal
terracotta topaz turquoise ultramarine umber vanilla vermilion vermillion violet viridian white whitish wine yellow yellowish
monochrome multicolored multicoloured colorful colourful pastel dark light pale bright deep dull vivid muted neon iridescent pearlescent saturated desaturated
"""
_ADJECTIVES = """
abandoned abstract aged alien ancient antique arctic ashen bare battered beaten bleached blistered blotchy bold braided brittle broken brushed bubbly bumpy burned burnt
carved cast charred checked checkered checkerboard chequered chipped chiseled chiselled chunky clean cloudy coarse coated cold corroded corrugated cosy cozy cracked crackled cratered creased
crinkled crisp crooked crumbled crumbling crumpled crusted crusty curly cut damaged damp decayed decorated decorative dense dented dilapidated dirty distressed dotted
dry dusty elegant embossed embroidered engraved etched even faded fancy fibrous filthy fine flaked flaking flaky flat flecked floral fluffy fluted forged fractured fresh frosted frosty frozen furry fuzzy galvanized
geometric glazed glossy glowing grained grainy granular grassy greasy grimy gritty grooved grubby grungy hairy hammered handmade hard hexagonal hewn hexagon hot icy inlaid
interlocking irregular jagged knitted knotted knotty lacquered laminated large layered leafy leathery lined lush lumpy marbled massive matte medieval metallic milled modern moist molten mossy mottled mouldy moldy
muddy narrow natural neat new oiled old organic ornamental ornate overgrown oxidised oxidized painted patched patchy patterned paved pebbled peeled peeling perforated pitted plain plaited plastered polished polka porous
powdery pressed pristine quilted ragged random raw refined regular reptilian ribbed riveted rocky rotten rough round rounded ruffled rugged ruined rusted rustic rusty sandy sanded scaly
scattered scorched scratched scratchy scuffed sealed seamless shabby shaggy sharp shiny shredded shimmering sleek slick slimy slippery small smooth snowy soaked soft soggy soiled solid spiky splintered spotted spotty sparkling speckled
spiral splattered square stacked stained starry stony streaked striated striped stripy studded stylised stylized sunbaked tangled tarnished tattered textured thatched thick thin threaded tidy tight tiled tiny torn
traditional translucent transparent treated tropical twisted undulating uneven uniform unpolished used varnished veined velvety vintage volcanic warm washed watery wavy waxed waxy weathered welded wet
wide wild windblown wooden woody woolen woollen worn wooly woolly woven wrinkled wrinkly wrought zigzag herringbone basketweave chevron houndstooth gingham argyle paisley
diamond diagonal horizontal vertical parallel crossing running stretcher hexagons squares rectangles triangles circles stripes dots spots checks speckles veins cracks grain
flakes patches ripples waves ridges grooves bumps pits holes scratches dents stains streaks knots joints seams rivets bolts studs fibres fibers threads
strands tufts blades twigs petals roots crust puddles puddle ember embers glow cooled cooling molten flowing
"""
_PLACES = """
floor wall roof ceiling path road street pavement sidewalk courtyard castle dungeon cellar barn cabin cottage deck fence door furniture garden field meadow forest jungle desert beach shore
river seabed cliff cave canyon quarry mine volcano glacier planet moon spaceship panel panels industrial factory bathroom kitchen temple tomb ruin ruins dwarf fantasy scifi
texture surface pattern material tileable photo seamless close closeup closeup top view detailed with and of in on a an the some very slightly covered between over under made
"""

# Words that MiniLM places badly, each with plainer words it means: chiefly names of colours and of kinds of a material (see text.apply_meanings).
MEANINGS: dict[str, str] = {
    "amaranth": "red pink",
    "amber": "orange gold",
    "apricot": "light orange",
    "aqua": "turquoise",
    "aquamarine": "turquoise",
    "ash": "light grey",
    "auburn": "brown red",
    "azure": "light blue",
    "bluish": "blue",
    "blueish": "blue",
    "bordeaux": "dark red",
    "brownish": "brown",
    "buff": "beige",
    "burgundy": "dark red",
    "canary": "yellow",
    "caramel": "light brown",
    "carmine": "red",
    "celadon": "light green",
    "cerulean": "light blue",
    "charcoal": "dark grey",
    "chartreuse": "yellow green",
    "chestnut": "brown",
    "chocolate": "dark brown",
    "cinnabar": "red",
    "cobalt": "blue",
    "coffee": "dark brown",
    "coral": "pink orange",
    "cream": "beige white",
    "creamy": "beige white",
    "crimson": "red",
    "cyan": "turquoise blue",
    "ebony": "black",
    "ecru": "beige",
    "eggplant": "dark purple",
    "emerald": "green",
    "fawn": "light brown",
    "fuchsia": "pink purple",
    "golden": "gold",
    "gray": "grey",
    "grayish": "grey",
    "greyish": "grey",
    "greenish": "green",
    "indigo": "blue purple",
    "ivory": "white beige",
    "jade": "green",
    "khaki": "beige green",
    "lavender": "light purple",
    "lemon": "yellow",
    "lilac": "light purple",
    "lime": "light green",
    "magenta": "pink purple",
    "maroon": "dark red",
    "mauve": "light purple",
    "mint": "light green",
    "mocha": "brown",
    "mustard": "yellow brown",
    "ochre": "yellow brown",
    "ocher": "yellow brown",
    "olive": "dark green",
    "orchid": "pink purple",
    "peach": "light orange",
    "periwinkle": "light blue",
    "pinkish": "pink",
    "pistachio": "light green",
    "plum": "dark purple",
    "purplish": "purple",
    "raspberry": "red pink",
    "reddish": "red",
    "rose": "pink",
    "ruby": "red",
    "russet": "brown red",
    "saffron": "orange yellow",
    "sage": "light green grey",
    "salmon": "pink orange",
    "sapphire": "blue",
    "scarlet": "red",
    "sepia": "brown",
    "sienna": "brown orange",
    "silver": "light grey",
    "silvery": "light grey",
    "tan": "light brown",
    "tangerine": "orange",
    "taupe": "grey brown",
    "tawny": "brown orange",
    "topaz": "gold",
    "ultramarine": "blue",
    "umber": "dark brown",
    "vermilion": "red",
    "vermillion": "red",
    "violet": "purple",
    "viridian": "dark green",
    "whitish": "white",
    "wine": "dark red",
    "yellowish": "yellow",
    "pale": "light",
    "bright": "light",
    "deep": "dark",
    "burlap": "woven fabric brown",
    "hessian": "woven fabric brown",
    "jute": "woven fabric brown",
    "denim": "blue woven fabric",
    "malachite": "green marble",
    "lapis": "blue marble",
    "travertine": "beige marble stone",
    "terrazzo": "stone marble speckled",
    "tarmac": "asphalt",
    "bitumen": "asphalt",
    "macadam": "asphalt",
    "lichen": "moss",
    "suede": "leather",
    "tweed": "woven wool fabric",
    "corduroy": "striped fabric",
    "magma": "lava",
    "grubby": "dirty",
    "ancient": "old",
    "driftwood": "grey old wood",
    "adobe": "plaster brown",
    "parquetry": "parquet",
    "lumber": "wood planks",
    "cobbles": "cobblestone",
    "cobbled": "cobblestone",
    "masonry": "bricks stone",
    "brickwork": "bricks",
    "oak": "brown wood",
    "pine": "light brown wood",
    "walnut": "dark brown wood",
    "maple": "beige wood",
    "birch": "light wood",
    "beech": "light brown wood",
    "teak": "brown wood",
    "mahogany": "dark red wood",
    "cedar": "brown wood",
    "spruce": "light wood",
    "timber": "wood planks",
    "timbers": "wood planks",
    "hardwood": "wood planks",
    "softwood": "wood planks",
    "planking": "planks",
    "osb": "chipboard",
    "turf": "grass",
    "sod": "grass",
    "loam": "soil",
    "peat": "dark soil",
    "limestone": "beige stone",
    "basalt": "dark grey rock",
    "slate": "dark grey stone",
    "shale": "layered rock",
    "schist": "layered rock",
    "boulder": "rock stone",
    "boulders": "rock stones",
    "scree": "gravel stones",
    "linen": "woven fabric",
    "cotton": "woven fabric",
    "hemp": "woven fabric",
    "silk": "smooth fabric",
    "satin": "smooth fabric",
    "flannel": "plaid fabric",
    "velvet": "fabric carpet",
    "felt": "wool carpet",
    "fleece": "fur wool",
    "parchment": "beige paper",
    "papyrus": "beige paper",
    "vellum": "beige paper",
    "styrofoam": "white foam",
    "corroded": "rusty",
    "oxidised": "rusty",
    "oxidized": "rusty",
    "frosty": "snowy",
    "frosted": "snowy",
    "icy": "ice",
    "pebbledash": "rough plaster gravel",
    "stonework": "stone wall",
}

LEXICON: frozenset[str] = frozenset(
    f"{_MATERIALS} {_COLOURS} {_ADJECTIVES} {_PLACES} {' '.join(MEANINGS)} {' '.join(MEANINGS.values())}".split()
)
