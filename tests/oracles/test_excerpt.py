"""Reasons are found in what programs really print (shortened), and not in what only looks like one."""

import os

import pytest

from thalweg.oracles.excerpt import excerpt, find_reason, said_unconverged

ESPRESSO = """
     Program PWSCF v.6.7MaX starts on 28Nov2026 at 18:20:40
     iteration #  1     ecut=    12.00 Ry     beta= 0.70
     Davidson diagonalization with overlap
     c_bands:  1 eigenvalues not converged
     ethr =  2.00E-02,  avg # of iterations =  2.0
     estimated scf accuracy    <       0.05 Ry
     End of self-consistent calculation
     convergence NOT achieved after   3 iterations: stopping

     Writing output data file ./pwscf.save/

     init_run     :      0.04s CPU      0.05s WALL (       1 calls)
     electrons    :      0.11s CPU      0.12s WALL (       1 calls)
"""
ESPRESSO_ERROR = """
     Program PWSCF v.6.7MaX starts on 28Nov2026 at 18:20:40

 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine electrons (1):
     charge is wrong: smearing is needed
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%

     stopping ...
"""
ESPRESSO_BANDS = ESPRESSO_ERROR.replace("electrons (1)", "c_bands (1)").replace(
    "charge is wrong: smearing is needed", "too many bands are not converged"
)
VASP = """
 DAV:  59    -0.104E+03    0.1E-02   -0.1E-03  4208   0.3E-01    0.1E-01
 -----------------------------------------------------------------------------
|     W    W    AA    RRRRR   N    N  II  N    N   GGGG   !!!                 |
|     The electronic self-consistency was not achieved in the given           |
|     number of steps (NELM). The forces and other quantities evaluated       |
|     might not be reliable so examine the results carefully.                 |
 -----------------------------------------------------------------------------
"""
VASP_BRACKET = """
 BRMIX: very serious problems
 ZBRENT: fatal error in bracketing
     please rerun with smaller EDIFF
"""
ORCA = """
 ITER       Energy         Delta-E        Max-DP      RMS-DP      [F,P]     Damp
               ***  Starting incremental Fock matrix formation  ***
       *                     SERIOUS PROBLEM IN SOSCF                *
                       * SCF NOT CONVERGED AFTER  12 CYCLES          *
[file orca_tools/qcmsg.cpp, line 458]:
  .... aborting the run
ORCA finished by error termination in SCF
"""
ORCA_INPUT = """
Error : multiplicity (1) is even and number of electrons (9) is odd -> impossible
ORCA finished by error termination in GTOInt
"""
CP2K = """
  Step     Update method      Time    Convergence         Total energy    Change
     1 P_Mix/Diag. 0.40E+00    0.1     1.43519867       -16.9 -1.69E+01

 *******************************************************************************
 *   ___                                                                       *
 *  /   \\                                                                      *
 * [ABORT]                                                                     *
 *  \\___/      SCF run NOT converged. To continue the calculation regardless,  *
 *    |        please set the keyword IGNORE_CONVERGENCE_FAILURE.              *
 *  O/|                                                                        *
 * /| |                                                                        *
 * / \\                                                          qs_scf.F:598 *
 *******************************************************************************
"""
CP2K_BASIS = CP2K.replace(
    "SCF run NOT converged. To continue the calculation regardless,  ",
    "The requested basis set <XYZ> was not found in the files    ",
).replace(
    "please set the keyword IGNORE_CONVERGENCE_FAILURE.", "BASIS_MOLOPT                                      "
)


@pytest.mark.parametrize(
    ("name", "text", "words", "unconverged"),
    [
        ("espresso.pwo", ESPRESSO, "convergence NOT achieved after 3 iterations: stopping", True),
        (
            "espresso.pwo",
            ESPRESSO_ERROR,
            "Error in routine electrons (1): charge is wrong: smearing is needed",
            False,
        ),
        (
            "espresso.pwo",
            ESPRESSO_BANDS,
            "Error in routine c_bands (1): too many bands are not converged",
            True,
        ),
        ("vasp.out", VASP, "The electronic self-consistency was not achieved", True),
        ("vasp.out", VASP_BRACKET, "ZBRENT: fatal error in bracketing", False),
        ("orca.out", ORCA, "SCF NOT CONVERGED AFTER 12 CYCLES", True),
        ("orca.out", ORCA_INPUT, "multiplicity (1) is even and number of electrons (9) is odd", False),
        ("cp2k.out", CP2K, "SCF run NOT converged", True),
        ("cp2k.out", CP2K_BASIS, "The requested basis set <XYZ> was not found", False),
        ("gpaw.txt", "iter:  99\nDid not converge!\n", "Did not converge!", True),
        (
            "aims.out",
            "  Self-consistency cycle not converged.\n",
            "Self-consistency cycle not converged",
            True,
        ),
        (
            "g16.log",
            " Convergence failure -- run terminated.\n Error termination\n",
            "Convergence failure",
            True,
        ),
        (
            "own.log",
            "step 1\nstep 2\nERROR: negative eigenvalue in block 7\n",
            "negative eigenvalue in block 7",
            False,
        ),
        ("own.log", "the density has failed to converge within 40 steps\n", "failed to converge", True),
        ("slurm.err", "slurmstepd: error: Detected 1 oom-kill event(s)\n", "oom-kill", False),
    ],
)
def test_the_line_that_says_why(tmp_path, name, text, words, unconverged):
    (tmp_path / name).write_text(text)
    reason = find_reason(tmp_path)
    assert reason is not None
    assert words in reason.text
    assert reason.unconverged is unconverged
    assert len(reason.text) <= 400
    log = excerpt(tmp_path)
    assert log.startswith(f"--- {name}\n")
    assert "WALL" not in log


@pytest.mark.parametrize(
    "text",
    [
        "all is well\nJOB DONE.\n",
        "estimated error = 1.2E-05\nmax error: 0.003\n0 errors\nno errors were found\n",
        "     c_bands:  1 eigenvalues not converged\n",
        "DIIS error 0.003\n",
        "this will not convert units; conversion not needed\n",
        "convergence has been achieved in   7 iterations\n",
    ],
)
def test_what_is_no_reason(tmp_path, text):
    (tmp_path / "out.log").write_text(text)
    assert find_reason(tmp_path) is None


def test_the_newest_file_speaks_first_and_inputs_not_at_all(tmp_path):
    for age, (name, text) in enumerate((("b.log", "ERROR: second"), ("a.log", "ERROR: first"))):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "job.inp").write_text("! error: this is an input")
    assert find_reason(tmp_path).text == "ERROR: second"
    assert excerpt(tmp_path).index("second") < excerpt(tmp_path).index("first")
    assert "input" not in excerpt(tmp_path)


def test_binary_and_huge_files_are_not_read(tmp_path):
    (tmp_path / "wfc1.dat").write_bytes(b"ERROR: \0\1\2" * 1000)
    (tmp_path / "density").write_bytes(os.urandom(5000) + b"\nERROR: noise\n")
    with (tmp_path / "trajectory.log").open("wb") as file:
        file.truncate(60_000_000)
        file.seek(0, 2)
        file.write(b"\nERROR: far away\n")
    assert find_reason(tmp_path) is None
    assert excerpt(tmp_path) == ""
    (tmp_path / "out.log").write_text("ERROR: here")
    assert find_reason(tmp_path).text == "ERROR: here"


def test_without_a_reason_the_end_of_the_output_is_kept_but_no_timing(tmp_path):
    lines = "\n".join(f"line {n}" for n in range(1000))
    (tmp_path / "scf.out").write_text(f"{lines}\n     electrons    :      0.11s CPU      0.12s WALL\n")
    log = excerpt(tmp_path)
    assert log.endswith("line 999")
    assert "line 900" not in log
    assert "WALL" not in log


def test_a_program_that_ends_well_without_convergence_is_found_out(tmp_path):
    (tmp_path / "printed.txt").write_text(
        "SCF NOT CONVERGED AFTER 3 CYCLES, trying again with other settings"
    )
    assert said_unconverged(tmp_path) is None
    (tmp_path / "orca.out").write_text(ORCA)
    assert said_unconverged(tmp_path) == "SCF NOT CONVERGED AFTER 12 CYCLES"


def test_an_unreadable_or_absent_folder_has_no_reason(tmp_path):
    assert find_reason(tmp_path / "absent") is None
    assert excerpt(tmp_path / "absent") == ""
