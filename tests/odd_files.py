"""Files whose sites or types are not plainly atoms of elements, as other programs write them."""

CIF = """data_x
_cell_length_a 3.8
_cell_length_b 3.8
_cell_length_c 3.8
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{last}
{rows}
"""


def cif(*rows: str, last: str = "_atom_site_occupancy") -> str:
    return CIF.format(last=last, rows="\n".join(rows))


def disordered(*groups: str) -> str:
    rows = (f"Cu{k} Cu 0 0 {0.4 * k} {group}" for k, group in enumerate(groups))
    return cif(*rows, last="_atom_site_disorder_group")


def lammps_data(*atoms: str, masses: str = "", labels: str = "", style: str = "atomic") -> str:
    return (
        f"a title with 7 atoms in it\n\n{len(atoms)} atoms\n2 atom types\n\n0 5 xlo xhi\n0 5 ylo yhi\n0 6 zlo zhi\n"
        + (f"\nAtom Type Labels\n\n{labels}\n" if labels else "")
        + (f"\nMasses\n\n{masses}\n" if masses else "")
        + f"\nAtoms # {style}\n\n"
        + "\n".join(atoms)
        + "\n"
    )


def lammps_dump(columns: str, *atoms: str) -> str:
    return (
        f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\n"
        f"ITEM: ATOMS {columns}\n" + "\n".join(atoms) + "\n"
    )


TWO = ("1 1 0 0 0", "2 2 0 0 2")
"""Atoms of a data file: id, type, place."""
